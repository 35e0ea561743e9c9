import { failureCodes, mayPass, workerClassName } from "@slidelight/contract";
import type { Failure } from "@slidelight/contract";
import { openQueueMetrics } from "@slidelight/contract/service";
import type { QueueMetricsOptions } from "@slidelight/contract/service";
import { availableBytes, versions } from "@slidelight/core";
import type { Engine, Observe, RetryReason, Stage } from "@slidelight/core";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { usedBytes } from "./memory-use.ts";

/** The queue that a job came from. */
export type QueueKind = "images" | "shards";

/**
 * Why a job was given back before it was done, at no attempt. `newer`: a later release wrote it; `engine`: another engine has
 * begun its image.
 */
export type HandBack = "stopping" | "shards-first" | "disk-full" | "newer" | "engine";

/** Total, so that every reason is there before its first job. */
const handBackReasons: { readonly [R in HandBack]: R } = {
  stopping: "stopping",
  "shards-first": "shards-first",
  "disk-full": "disk-full",
  newer: "newer",
  engine: "engine",
};

/** A job is held until this is disposed of. */
export interface Holding extends Disposable {
  /** It ended well. */
  finished(): void;
}

/** What a worker counts, in base units; one registry for each worker, so that tests can hold several. */
export interface Metrics {
  readonly contentType: string;
  readonly observe: Observe;
  /** A job was taken. */
  hold(queue: QueueKind): Holding;
  image(status: "done" | "skipped" | "failed"): void;
  shard(status: "computed" | "known" | "unwanted" | "failed"): void;
  /** An image of so many pixels, at the level that was explained, got new results. */
  explained(pixels: number): void;
  handedBack(queue: QueueKind, reason: HandBack): void;
  /** An attempt failed; `final` when there will be no other. */
  failure(queue: QueueKind, failure: { readonly code: Failure["code"]; readonly final: boolean }): void;
  /** Jobs of lost workers that this one found. */
  stalled(queue: QueueKind): void;
  /** A request to the store was sent again. */
  retried(reason: RetryReason): void;
  text(): Promise<string>;
}

export interface MetricsOptions extends Pick<QueueMetricsOptions, "redis"> {
  readonly engine: Pick<Engine, "name" | "provider" | "version" | "device">;
  /** As given with `--queue`. */
  readonly queue: string | undefined;
  readonly scratch: {
    /** Of the scratch folder's disk, when it is known. */
    readonly space: () => { readonly freeBytes: number; readonly sizeBytes: number } | undefined;
    /** Less than this is too little to begin a job. */
    readonly minFreeBytes: number;
  };
}

/** Total, so that every stage is there before its first second. */
const stageNames: { readonly [S in Stage]: S } = {
  open: "open",
  plan: "plan",
  read: "read",
  compute: "compute",
  scratch: "scratch",
  collect: "collect",
  assemble: "assemble",
  commit: "commit",
};

/** From a small image to a slide of hours on a small machine. */
const jobBuckets = [1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400];

export function openMetrics({ engine, queue, redis, scratch }: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ class: workerClassName(queue) });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, ...labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const tiles = counter("slidelight_tiles_total", "Tiles computed.");
  const pixels = counter("slidelight_pixels_total", "Pixels of tile cores computed, once for each sweep.");
  const explained = counter("slidelight_explained_pixels_total", "Pixels of explained images, glass included.");
  const read = counter("slidelight_read_bytes_total", "Bytes read of images.");
  const written = counter("slidelight_written_bytes_total", "Bytes of results written.");
  const busy = counter("slidelight_engine_busy_seconds_total", "Time that the engine computed.");
  const stages = counter("slidelight_stage_seconds_total", "Time by stage; stages overlap.", "stage");
  const images = counter("slidelight_images_total", "Jobs finished, by outcome.", "status");
  const shards = counter(
    "slidelight_shards_total",
    "Shards of large images finished, by outcome; known ones were computed before, unwanted ones had no image that waited.",
    "status",
  );
  const failures = counter(
    "slidelight_failures_total",
    "Failed attempts, by code; final when no other attempt follows.",
    "queue",
    "code",
    "final",
  );
  const handBacks = counter(
    "slidelight_handed_back_total",
    "Jobs given back to the queue unfinished, at no attempt, by reason.",
    "queue",
    "reason",
  );
  const stalls = counter("slidelight_stalled_jobs_total", "Jobs of lost workers that this one found.", "queue");
  const retries = counter("slidelight_store_retries_total", "Requests to the store that were sent again.", "reason");
  const seconds = new Histogram({
    name: "slidelight_job_seconds",
    help: "Time that a job was held until it was done; of a divided image the last time only.",
    labelNames: ["queue"],
    buckets: jobBuckets,
    registers,
  });
  const last = new Gauge({
    name: "slidelight_last_job_timestamp_seconds",
    help: "When this worker last finished a job.",
    labelNames: ["queue"],
    registers,
  });
  const held = new Gauge({
    name: "slidelight_held_jobs",
    help: "Jobs that this worker holds now.",
    labelNames: ["queue"],
    registers,
  });
  addWorkerGauges(registry, { engine, scratch });
  const queues = openQueueMetrics(registry, { redis, classes: () => Promise.resolve([queue]) });
  for (const stage of Object.values(stageNames)) stages.inc({ stage }, 0);
  for (const status of ["done", "skipped", "failed", "handed-back"]) images.inc({ status }, 0);
  for (const status of ["computed", "known", "unwanted", "failed", "handed-back"]) shards.inc({ status }, 0);
  // What is there from the start is an increase when it happens first. A shard that fails for good fails its image.
  for (const code of failureCodes) {
    failures.inc({ queue: "images", code, final: "true" }, 0);
    if (!mayPass(code)) continue;
    for (const name of ["images", "shards"]) failures.inc({ queue: name, code, final: "false" }, 0);
  }
  for (const reason of ["throttled", "failed"]) retries.inc({ reason }, 0);
  for (const name of ["images", "shards"]) {
    stalls.inc({ queue: name }, 0);
    held.set({ queue: name }, 0);
    seconds.zero({ queue: name });
    for (const reason of Object.values(handBackReasons)) handBacks.inc({ queue: name, reason }, 0);
  }
  return {
    contentType: registry.contentType,
    observe: (event) => {
      if (event.kind === "tile-done") {
        tiles.inc();
        pixels.inc(event.pixels);
        busy.inc(event.busySeconds);
      } else if (event.kind === "probe-done") busy.inc(event.busySeconds);
      else if (event.kind === "stage-done") stages.inc({ stage: event.stage }, event.seconds);
      else if (event.kind === "bytes-read") read.inc(event.bytes);
      else if (event.kind === "bytes-written") written.inc(event.bytes);
    },
    hold: (name) => {
      const takenMs = performance.now();
      held.inc({ queue: name });
      return {
        finished: () => {
          seconds.observe({ queue: name }, (performance.now() - takenMs) / 1000);
          last.setToCurrentTime({ queue: name });
        },
        [Symbol.dispose]: () => held.dec({ queue: name }),
      };
    },
    image: (status) => images.inc({ status }),
    shard: (status) => shards.inc({ status }),
    explained: (count) => explained.inc(count),
    handedBack: (name, reason) => {
      handBacks.inc({ queue: name, reason });
      (name === "images" ? images : shards).inc({ status: "handed-back" });
    },
    failure: (name, { code, final }) => failures.inc({ queue: name, code, final: String(final) }),
    stalled: (name) => stalls.inc({ queue: name }),
    retried: (reason) => retries.inc({ reason }),
    text: async () => {
      await queues.refresh();
      return registry.metrics();
    },
  };
}

/** What is looked up whenever the metrics are asked for. */
function addWorkerGauges(registry: Registry, { engine, scratch }: Pick<MetricsOptions, "engine" | "scratch">): void {
  const registers = [registry];
  const { name, provider, version, device } = engine;
  new Gauge({
    name: "slidelight_engine_info",
    help: "Always 1; the labels tell what computes.",
    labelNames: ["engine", "provider", "version", "device"],
    registers,
  }).set({ engine: name, provider, version, device }, 1);
  const { slidelight, node } = versions();
  new Gauge({
    name: "slidelight_worker_info",
    help: "Always 1, of every worker.",
    labelNames: ["version", "node"],
    registers,
  }).set({ version: slidelight, node }, 1);
  let countedMs = performance.now();
  const there = new Counter({
    name: "slidelight_worker_seconds_total",
    help: "Time that this worker has been there, which is what it costs.",
    registers,
    collect: () => {
      const now = performance.now();
      there.inc((now - countedMs) / 1000);
      countedMs = now;
    },
  });
  const free = new Gauge({
    name: "slidelight_scratch_free_bytes",
    help: "Free space of the scratch folder's disk.",
    registers,
    collect: () => {
      const space = scratch.space();
      if (space !== undefined) free.set(space.freeBytes);
    },
  });
  const size = new Gauge({
    name: "slidelight_scratch_size_bytes",
    help: "Size of the scratch folder's disk.",
    registers,
    collect: () => {
      const space = scratch.space();
      if (space !== undefined) size.set(space.sizeBytes);
    },
  });
  new Gauge({
    name: "slidelight_scratch_min_free_bytes",
    help: "Free space below which no job is begun (--min-free).",
    registers,
  }).set(scratch.minFreeBytes);
  const memory = new Gauge({
    name: "slidelight_memory_bytes",
    help: "Resident memory of this worker, with the process of its engine.",
    registers,
    collect: async () => {
      memory.set(await usedBytes());
    },
  });
  new Gauge({
    name: "slidelight_memory_limit_bytes",
    help: "What it may use: the limit of its container, else the machine's memory.",
    registers,
  }).set(availableBytes());
}

import type { Failure } from "@slidelight/contract";
import type { Engine, Observe } from "@slidelight/core";
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { PutOffReason } from "./held-job.ts";

/** What a worker counts, in base units; one registry for each worker, so that tests can hold several. */
export interface Metrics {
  readonly contentType: string;
  readonly observe: Observe;
  image(status: "done" | "skipped" | "failed" | "handed-back"): void;
  shard(status: "computed" | "known" | "unwanted" | "failed" | "handed-back"): void;
  /** A job was left to other workers for a while. */
  putOff(noun: "image" | "shard", reason: PutOffReason): void;
  failure(code: Failure["code"]): void;
  text(): Promise<string>;
}

/**
 * @param engine What this worker computes with.
 * @param options.queueCounts Jobs by queue and state, asked for whenever the metrics are; a queue that does not answer is left out.
 * @param options.freeBytes Of the scratch folder's disk, when it is known.
 */
export function openMetrics(
  engine: Pick<Engine, "name" | "provider" | "version" | "device">,
  options: {
    readonly queueCounts: () => Promise<Readonly<Record<"images" | "shards", Readonly<Record<string, number>>>>>;
    readonly freeBytes: () => number | undefined;
  },
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  const tiles = counter("slidelight_tiles_total", "Tiles computed.");
  const pixels = counter("slidelight_pixels_total", "Pixels of tile cores computed, once for each sweep.");
  const read = counter("slidelight_read_bytes_total", "Bytes read of images.");
  const written = counter("slidelight_written_bytes_total", "Bytes of results written.");
  const busy = counter("slidelight_engine_busy_seconds_total", "Time that the engine computed.");
  const stages = new Counter({
    name: "slidelight_stage_seconds_total",
    help: "Time by stage; stages overlap.",
    labelNames: ["stage"],
    registers,
  });
  const images = new Counter({
    name: "slidelight_images_total",
    help: "Jobs finished, by outcome.",
    labelNames: ["status"],
    registers,
  });
  const shards = new Counter({
    name: "slidelight_shards_total",
    help: "Shards of large images finished, by outcome; known ones were computed before, unwanted ones had no image that waited.",
    labelNames: ["status"],
    registers,
  });
  const failures = new Counter({
    name: "slidelight_failures_total",
    help: "Failed attempts, by code.",
    labelNames: ["code"],
    registers,
  });
  const putOff = new Counter({
    name: "slidelight_jobs_put_off_total",
    help: "Jobs left to other workers for a while: newer ones to a later release, those of another engine to workers that have it.",
    labelNames: ["queue", "reason"],
    registers,
  });
  const queue = new Gauge({
    name: "slidelight_queue_jobs",
    help: "Jobs of the queues, by state; the same from every worker.",
    labelNames: ["queue", "state"],
    registers,
    collect: async () => {
      const counts = await options.queueCounts();
      // Old counts would be taken for those of now.
      queue.reset();
      for (const [name, states] of Object.entries(counts)) {
        for (const [state, count] of Object.entries(states)) queue.set({ queue: name, state }, count);
      }
    },
  });
  const free = new Gauge({
    name: "slidelight_scratch_free_bytes",
    help: "Free space of the scratch folder's disk.",
    registers,
    collect: () => {
      const bytes = options.freeBytes();
      if (bytes !== undefined) free.set(bytes);
    },
  });
  const { name, provider, version, device } = engine;
  new Gauge({
    name: "slidelight_engine_info",
    help: "Always 1; the labels tell what computes.",
    labelNames: ["engine", "provider", "version", "device"],
    registers,
  }).set({ engine: name, provider, version, device }, 1);
  for (const queueName of ["images", "shards"]) {
    for (const reason of ["newer", "engine"]) putOff.inc({ queue: queueName, reason }, 0);
  }
  for (const status of ["done", "skipped", "failed", "handed-back"]) images.inc({ status }, 0);
  for (const status of ["computed", "known", "unwanted", "failed", "handed-back"]) shards.inc({ status }, 0);
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
    image: (status) => images.inc({ status }),
    shard: (status) => shards.inc({ status }),
    putOff: (noun, reason) => putOff.inc({ queue: `${noun}s`, reason }),
    failure: (code) => failures.inc({ code }),
    text: () => registry.metrics(),
  };
}

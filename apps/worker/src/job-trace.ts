import { failureOf, imageJobProgressSchema } from "@slidelight/contract";
import type { Failure, TraceAttributes, TraceSpan, Tracing } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import type { Observe, PipelineEvent } from "@slidelight/core";
import type { Job } from "bullmq";

/** What is known of a job before it is done; fields that are known later are added to its log. */
export interface AboutJob {
  readonly image?: string;
  readonly runIds?: readonly string[];
  readonly imageJobId?: string;
  readonly sweep?: number;
  readonly shard?: number;
}

/** A job's span, while this worker holds the job. */
export interface JobTrace extends Pick<TraceSpan, "ids" | "carrier"> {
  /**
   * What the job's progress must keep, so that whoever holds the job next goes on with the same trace: of a job whose producer began
   * no trace.
   */
  readonly kept: string | undefined;
  /** Stages become parts of the span; what comes once a tile is added up. */
  readonly observe: Observe;
  /** @param outcome What became of the job, in a word. */
  end(outcome: string, failure?: Failure): void;
}

export interface JobTraceOptions {
  readonly noun: "image" | "shard";
  readonly about: AboutJob;
}

/** Goes on with the trace that the job's options carry, or that its progress keeps. */
export function openJobTrace(tracing: Tracing, job: Job, { noun, about }: JobTraceOptions): JobTrace {
  const carried = job.opts.telemetry?.metadata;
  const earlier = carried ?? imageJobProgressSchema.safeParse(job.progress).data?.trace;
  const span = tracing.span(`process ${noun}`, {
    kind: "consumer",
    parent: earlier,
    attributes: {
      "messaging.system": "bullmq",
      "messaging.operation.type": "process",
      "messaging.destination.name": job.queueName,
      "messaging.message.id": job.id ?? "",
      "slidelight.attempt": job.attemptsMade + 1,
      ...attributesOf(about),
    },
  });
  const sums = { tiles: 0, pixels: 0, busySeconds: 0, readBytes: 0, writtenBytes: 0 };
  let begun = false;
  const add = (event: PipelineEvent): void => {
    begun = true;
    if (event.kind === "tile-done") {
      sums.tiles += 1;
      sums.pixels += event.pixels;
      sums.busySeconds += event.busySeconds;
    } else if (event.kind === "probe-done") sums.busySeconds += event.busySeconds;
    else if (event.kind === "bytes-read") sums.readBytes += event.bytes;
    else if (event.kind === "bytes-written") sums.writtenBytes += event.bytes;
  };
  return {
    ids: span.ids,
    carrier: span.carrier,
    kept: carried === undefined ? (earlier ?? span.carrier) : undefined,
    observe: tracing.on
      ? (event) => {
          add(event);
          tellPart(span, event);
        }
      : () => undefined,
    end: (outcome, failure) => {
      // Never sent: a job may be taken and given back very often before its turn has come.
      if (outcome === "handed-back" && !begun) return;
      const { tiles, pixels, busySeconds, readBytes, writtenBytes } = sums;
      span.set({
        "slidelight.outcome": outcome,
        "slidelight.tiles": tiles,
        "slidelight.pixels": pixels,
        "slidelight.engine_busy_seconds": busySeconds,
        "slidelight.read_bytes": readBytes,
        "slidelight.written_bytes": writtenBytes,
      });
      span.end(failure);
    },
  };
}

function attributesOf({ image, runIds, imageJobId, sweep, shard }: AboutJob): TraceAttributes {
  return {
    ...(image === undefined ? {} : { "slidelight.image": image }),
    ...(runIds === undefined ? {} : { "slidelight.run_ids": [...runIds] }),
    ...(imageJobId === undefined ? {} : { "slidelight.image_job_id": imageJobId }),
    ...(sweep === undefined ? {} : { "slidelight.sweep": sweep }),
    ...(shard === undefined ? {} : { "slidelight.shard": shard }),
  };
}

function tellPart(span: TraceSpan, event: PipelineEvent): void {
  if (event.kind === "work-begun") span.set({ "slidelight.run_ids": [...event.runs], "slidelight.work": event.work });
  if (event.kind === "shard-done") {
    const { sweep, shard, tiles, seconds } = event;
    const attributes = { "slidelight.sweep": sweep, "slidelight.shard": shard, "slidelight.tiles": tiles };
    span.part("compute", { seconds, attributes });
  }
  // Of every tile there would be too many.
  if (event.kind === "stage-done" && event.stage !== "read" && event.stage !== "compute") {
    span.part(event.stage, { seconds: event.seconds });
  }
  if (event.kind === "stage-failed") {
    const { stage, seconds, error } = event;
    // What was given up, because the worker stops or the image was cancelled, is no failure of the stage.
    span.part(stage, { seconds, ...(error instanceof SlidelightError ? { failure: failureOf(error) } : {}) });
  }
}

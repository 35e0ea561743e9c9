import { failedReason, failureOf, mayPass, newerDelayMs, parsePlanJob } from "@slidelight/contract";
import { failureFields } from "@slidelight/contract/service";
import type { Failure, PlanJob, TraceSpan, Tracing } from "@slidelight/contract";
import type { StoreSettings } from "@slidelight/core";
import { DelayedError, UnrecoverableError, WaitingError } from "bullmq";
import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { addImages, noImages, refuseNone } from "./add-images.ts";
import type { ImageCounts } from "./add-images.ts";
import { queueOn } from "./open-queue.ts";
import { takePlanLock } from "./plan-lock.ts";
import { recordOutcome } from "./plan-outcome.ts";
import type { PlanOutcome } from "./plan-outcome.ts";
import { countAttributes } from "./traced.ts";
import type { PlannerMetrics } from "./planner-metrics.ts";

export interface PlanResources {
  readonly redis: Redis;
  /** Where that is, to print. */
  readonly address: string;
  readonly storage: StoreSettings;
  readonly metrics: PlannerMetrics;
  readonly log: Logger;
  readonly tracing: Tracing;
  /** After which a planner that says nothing has lost its plans to others. */
  readonly lockMs: number;
  /** Aborted when the planner stops: a running plan is handed back. */
  readonly stopping: AbortSignal;
}

/** What is kept in the queue of a plan: the counts, or that an earlier run of the schedule was still at it. */
type PlanResult = ImageCounts | { readonly skipped: string };

/** Does one plan: lists its images and adds those that are new or changed. */
export function planProcessor(resources: PlanResources) {
  return async (job: Job, token = ""): Promise<PlanResult> => {
    const { redis, stopping, lockMs } = resources;
    const jobId = job.id ?? "";
    const plan = await payloadOf(job, { token, log: resources.log });
    const { schedule } = plan;
    const names = { schedule, jobId, attempt: job.attemptsMade + 1 };
    const lock = await takePlanLock(redis, { schedule, jobId, token, lockMs });
    if (lock.kind === "busy") {
      if (lock.jobId === jobId) {
        // This very run, by a planner that was lost a moment ago: its lock expires soon.
        await job.moveToDelayed(Date.now() + Math.ceil(lockMs / 3), token);
        throw new DelayedError();
      }
      resources.log.warn(
        { ...names, running: lock.jobId },
        "plan skipped: an earlier run of the schedule is still at it",
      );
      resources.metrics.plan(schedule, "skipped");
      return { skipped: `${lock.jobId} still ran` };
    }
    await using held = lock;
    const startedAt = new Date();
    const signal = AbortSignal.any([stopping, held.lost]);
    const attributes = { "slidelight.schedule": schedule, "messaging.message.id": jobId };
    const span = resources.tracing.span(`plan ${schedule}`, { kind: "consumer", attributes });
    const log = resources.log.child({ ...names, ...span.ids });
    log.info("plan started");
    const record = (result: Pick<PlanOutcome, "status" | "counts" | "error">): Promise<void> =>
      recordOutcome(redis, {
        schedule,
        outcome: { startedAt: startedAt.toISOString(), finishedAt: new Date().toISOString(), ...result },
      });
    let counts = noImages;
    let end: { readonly outcome: string; readonly failure?: Failure } = { outcome: "done" };
    try {
      counts = await run(plan, { resources, signal, log, span, progress: (now) => (counts = now) });
      await record({ status: "done", counts });
      resources.metrics.plan(schedule, "done", counts);
      log.info({ ...counts, seconds: (Date.now() - startedAt.getTime()) / 1000 }, "plan done");
      return counts;
    } catch (error) {
      if (stopping.aborted) {
        // Costs no attempt: another planner takes it first, and finds what was added.
        end = { outcome: "handed-back" };
        await job.moveToWait(token);
        log.info("plan handed back");
        throw new WaitingError();
      }
      const failure = failureOf(error);
      // Whoever holds the lock now tells how it went.
      if (held.lost.aborted) {
        end = { outcome: "lost" };
        log.warn({ why: failure.message }, "plan lost to another planner");
        throw new Error(failedReason(failure), { cause: error });
      }
      end = { outcome: "failed", failure };
      resources.metrics.plan(schedule, "failed", counts);
      log.error({ ...failureFields(failure), ...(failure.code === "unexpected" ? { err: error } : {}) }, "plan failed");
      await record({ status: "failed", counts, error: failure });
      throw failing(error, failure);
    } finally {
      span.set({ "slidelight.outcome": end.outcome, ...countAttributes(counts) });
      span.end(end.failure);
    }
  };
}

async function run(
  { images }: PlanJob,
  {
    resources,
    signal,
    log,
    span,
    progress,
  }: {
    readonly resources: PlanResources;
    readonly signal: AbortSignal;
    readonly log: Logger;
    readonly span: TraceSpan;
    readonly progress: (counts: ImageCounts) => void;
  },
): Promise<ImageCounts> {
  const { redis, address, storage, tracing } = resources;
  const suffix = images.queue === undefined ? {} : { queue: images.queue };
  const faults: unknown[] = [];
  await using queue = queueOn(redis, { redis: address, ...suffix });
  const counts = await addImages(images, {
    queue,
    storage,
    signal,
    newOnly: true,
    tracing,
    span,
    // A schedule is an older wish than a cancel that came after it.
    cancelled: "leave",
    unreadable: (image, error) => log.warn({ image, ...failureFields(failureOf(error)) }, "image left out"),
    unlisted: (source, error) => {
      log.warn({ source, ...failureFields(failureOf(error)) }, "source not listed");
      faults.push(error);
    },
    progress,
  });
  // The other sources were done. A night in which one was out of reach is no good night.
  if (faults.length > 0) throw faults[0];
  refuseNone(counts, images);
  return counts;
}

/** One of a later release is left to a planner of that release, which costs no attempt. */
async function payloadOf(job: Job, { token, log }: { readonly token: string; readonly log: Logger }): Promise<PlanJob> {
  try {
    return parsePlanJob(job.data);
  } catch (error) {
    const failure = failureOf(error);
    const names = { jobId: job.id, attempt: job.attemptsMade + 1 };
    const delayMs = failure.code === "job-newer" ? newerDelayMs(job.attemptsStarted) : undefined;
    if (delayMs !== undefined) {
      await job.moveToDelayed(Date.now() + delayMs, token);
      log.warn({ ...names, ...failureFields(failure), seconds: delayMs / 1000 }, "plan put off");
      throw new DelayedError();
    }
    log.error({ ...names, ...failureFields(failure) }, "plan failed");
    throw new UnrecoverableError(failedReason(failure));
  }
}

function failing(error: unknown, failure: Failure): Error {
  const final = !mayPass(failure.code);
  const reason = failedReason(failure);
  return final ? new UnrecoverableError(reason) : new Error(reason, { cause: error });
}

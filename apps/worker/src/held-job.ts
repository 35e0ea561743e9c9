import { setMaxListeners } from "node:events";
import { aborted, failedReason, failureOf, mayPass, newerDelayMs } from "@slidelight/contract";
import { failureFields } from "@slidelight/contract/service";
import type { Failure } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import { DelayedError, UnrecoverableError, WaitingChildrenError, WaitingError } from "bullmq";
import type { Job } from "bullmq";
import type { Logger } from "pino";
import { openJobTrace } from "./job-trace.ts";
import type { AboutJob, JobTrace } from "./job-trace.ts";
import type { HandBack, Metrics } from "./metrics.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** A job while this worker holds it. */
export interface HeldJob {
  readonly job: Job;
  readonly token: string;
  readonly log: Logger;
  readonly trace: JobTrace;
  /** Aborted when the worker stops, when the image is cancelled, and when the job's lock is lost. */
  readonly signal: AbortSignal;
}

/** A job that was taken, but should be taken again later: it costs no attempt. */
export class NotNow extends Error {
  override readonly name = "NotNow";
  readonly reason: HandBack;

  constructor(reason: HandBack, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A job that only another worker can do: it is put off, which costs no attempt, until one takes it. */
export class ForOthers extends Error {
  override readonly name = "ForOthers";
}

/**
 * A shard that was left to others is offered again after a small share of a shard's time: meanwhile nobody can take it, and those who
 * could must not wait for long. At most five seconds: it costs Redis some commands each time.
 */
const othersMs = ({ seconds }: WorkerResources["shards"]): number => Math.min(5000, Math.max(100, seconds * 50));

export interface JobKind<R> {
  readonly noun: "image" | "shard";
  /** The image's job whose cancellation counts. */
  imageJobOf(job: Job): string;
  /** What every line of the log about the job tells. */
  about(job: Job): AboutJob;
  /** What became of it, in a word, for its trace. */
  outcome(result: R): string;
  perform(held: HeldJob): Promise<R>;
  /** One of them has failed for good. */
  countFailed(metrics: Metrics): void;
  /** After an attempt that failed; `last` when there will be no other. */
  failed(held: HeldJob, failure: Failure & { readonly last: boolean }): Promise<void>;
}

/**
 * Does a job of one kind, and says what becomes of it: handed back to the front of its queue when the worker stops or
 * its disk is full, which costs no attempt; tried again or failed for good, by the code of its failure alone.
 */
export function jobProcessor<R>(
  resources: WorkerResources,
  kind: JobKind<R>,
): (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<R> {
  const { metrics, stopping, cancellations, pressure, health } = resources;
  const queue = `${kind.noun}s` as const;
  const told = new Set<HandBack>();
  return async (job, token = "", lost) => {
    const names = { queue: job.queueName, jobId: job.id, attempt: job.attemptsMade + 1 };
    const about = kind.about(job);
    const trace = openJobTrace(resources.tracing, job, { noun: kind.noun, about });
    const log = resources.log.child({ ...names, ...about, ...trace.ids });
    using cancellation = cancellations.watch(kind.imageJobOf(job));
    const signal = AbortSignal.any([stopping, cancellation.signal, ...(lost === undefined ? [] : [lost])]);
    // Every request in flight listens to it.
    setMaxListeners(0, signal);
    const held: HeldJob = { job, token, log, trace, signal };
    let end: readonly [outcome: string, failure?: Failure] = ["handed-back"];
    using holding = metrics.hold(queue);
    const handBack = async (reason: HandBack, why: string): Promise<never> => {
      await job.moveToWait(token);
      metrics.handedBack(queue, reason);
      log.info({ why }, `${kind.noun} handed back`);
      throw new WaitingError();
    };
    const putOff = async (reason: HandBack, delayMs: number, why: string): Promise<never> => {
      await job.moveToDelayed(Date.now() + delayMs, token);
      metrics.handedBack(queue, reason);
      // There may be very many of them, and what is to be done is the same for all.
      log[told.has(reason) ? "debug" : "warn"]({ reason, why, seconds: delayMs / 1000 }, `${kind.noun} put off`);
      told.add(reason);
      throw new DelayedError();
    };
    try {
      if (!(await resources.hasRoom())) throw new NotNow("disk-full", "the scratch disk is nearly full");
      const result = await kind.perform(held);
      holding.finished();
      end = [kind.outcome(result)];
      return result;
    } catch (error) {
      if (error instanceof WaitingChildrenError) {
        end = ["divided"];
        throw error;
      }
      if (lost?.aborted === true) {
        end = ["lost"];
        // It is another worker's now, and so is whatever becomes of it.
        log.warn(`${kind.noun} lost to another worker`);
        throw error;
      }
      // Then the worker stops, and what it holds is handed back.
      if (isOfEngine(error) && !(await health.computes())) await aborted(stopping);
      if (stopping.aborted) return await handBack("stopping", "the worker stops");
      if (error instanceof NotNow) return await handBack(error.reason, error.message);
      if (error instanceof ForOthers) return await putOff("engine", othersMs(resources.shards), error.message);
      const newer = error instanceof SlidelightError && error.code === "job-newer";
      const delayMs = newer ? newerDelayMs(job.attemptsStarted) : undefined;
      if (newer && delayMs !== undefined) return await putOff("newer", delayMs, error.message);
      if (isDiskFull(error) && job.attemptsStarted < diskPatience) {
        // Others may have filled it. Until there is room, no jobs are taken; this one waits even if there is now.
        await pressure.isHigh();
        await job.moveToDelayed(Date.now() + diskMs, token);
        metrics.handedBack(queue, "disk-full");
        log.warn(failureFields(failureOf(error)), `${kind.noun} handed back`);
        throw new DelayedError();
      }
      const failure = failureOfJob(cancellation.signal.aborted ? cancellation.signal.reason : error);
      const final = error instanceof FailedForGood || newer || !mayPass(failure.code);
      const last = final || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      end = ["failed", failure];
      metrics.failure(queue, { code: failure.code, final: last });
      if (last) kind.countFailed(metrics);
      log[last ? "error" : "warn"](
        { ...failureFields(failure), last, ...(failure.code === "unexpected" ? { err: error } : {}) },
        `${kind.noun} failed`,
      );
      await kind.failed(held, { ...failure, last }).catch((trouble: unknown) => {
        log.warn({ err: trouble }, "the failure could not be written down");
      });
      const reason = failedReason(failure);
      throw final ? new UnrecoverableError(reason) : new Error(reason, { cause: error });
    } finally {
      trace.end(...end);
    }
  };
}

/** Has been tried as often as it may be, a shard for example: the image is not tried again by itself, whatever the code. */
export class FailedForGood extends Error {
  override readonly name = "FailedForGood";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

function isOfEngine(error: unknown): boolean {
  return error instanceof SlidelightError && error.code === "engine-failed";
}

function failureOfJob(error: unknown): Failure {
  return error instanceof FailedForGood ? error.failure : failureOf(error);
}

/** A job that met a full disk waits for so long, which costs no attempt, unless it was begun that often already. */
const diskMs = 5000;
const diskPatience = 50;

/** What systems and libraries say of a disk without room. */
const full = /ENOSPC|EDQUOT|no space left/iu;

function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    (error instanceof SlidelightError && error.code === "output-unwritable" && full.test(error.message)) ||
    isDiskFull(error.cause)
  );
}

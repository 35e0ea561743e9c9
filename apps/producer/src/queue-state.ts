import { parseFailedReason } from "@slidelight/contract";
import type { Job } from "bullmq";
import { z } from "zod";
import type { OpenQueue } from "./open-queue.ts";

/** What a queue holds now. */
export interface QueueState {
  readonly queue: string;
  /** Whether workers take no jobs of it until `resume`. */
  readonly paused: boolean;
  readonly waiting: number;
  /** Images that a worker holds, and large ones whose parts are worked on. */
  readonly active: number;
  /** Waiting for their next attempt. */
  readonly delayed: number;
  readonly completed: number;
  readonly failed: number;
  /** Parts of large images. */
  readonly shards: {
    readonly waiting: number;
    readonly active: number;
    readonly delayed: number;
    readonly failed: number;
  };
  readonly running: readonly RunningImage[];
  /** The last ones. */
  readonly failures: readonly {
    readonly jobId: string;
    readonly image: string;
    /** Those that were asked for, between spaces. */
    readonly method: string | null;
    readonly target: string | null;
    readonly code: string;
    readonly message: string;
    readonly attempts: number;
  }[];
}

export interface RunningImage {
  readonly jobId: string;
  readonly image: string;
  /** Tiles of the worker that holds it. */
  readonly done: number;
  readonly tiles: number;
  /** Of an image that waits for its shards: `left` of this sweep, `done` of all sweeps so far. */
  readonly shards?: { readonly done: number; readonly left: number };
}

/** One line's worth. */
export function describeProgress({ done, tiles, shards }: RunningImage): string {
  if (shards !== undefined) return `${shards.done} shards done, ${shards.left} left in this sweep`;
  return tiles === 0 ? "being opened or put together" : `${done} of ${tiles} tiles`;
}

const shownFailures = 20;
const shownRunning = 20;

/** Payloads of other releases are shown as far as they are understood. */
const payload = z.object({ image: z.object({ uri: z.string() }) });
const asked = z.object({ settings: z.object({ methods: z.array(z.string()), targets: z.array(z.string()) }) });
const progress = z.object({ done: z.number(), tiles: z.number() });

/** @throws {SlidelightError} `queue-unavailable`. */
export function readQueueState({ name, queue, shards, ask }: OpenQueue): Promise<QueueState> {
  return ask(`Asking for the state of ${name}`, async () => {
    const [paused, counts, parts, active, split, failed] = await Promise.all([
      queue.isPaused(),
      queue.getJobCounts("wait", "prioritized", "active", "waiting-children", "delayed", "completed", "failed"),
      shards.getJobCounts("wait", "prioritized", "active", "delayed", "failed"),
      queue.getJobs(["active"], 0, shownRunning - 1),
      queue.getJobs(["waiting-children"], 0, shownRunning - 1),
      queue.getJobs(["failed"], 0, shownFailures - 1),
    ]);
    const countIn = (of: Readonly<Record<string, number>>, ...states: readonly string[]): number =>
      states.reduce((sum, state) => sum + (of[state] ?? 0), 0);
    return {
      queue: name,
      paused,
      waiting: countIn(counts, "wait", "prioritized"),
      active: countIn(counts, "active", "waiting-children"),
      delayed: countIn(counts, "delayed"),
      completed: countIn(counts, "completed"),
      failed: countIn(counts, "failed"),
      shards: {
        waiting: countIn(parts, "wait", "prioritized"),
        active: countIn(parts, "active"),
        delayed: countIn(parts, "delayed"),
        failed: countIn(parts, "failed"),
      },
      running: [
        ...active.map(runningImage),
        ...(await Promise.all(split.slice(0, shownRunning - active.length).map(dividedImage))),
      ],
      failures: failed.map((job) => {
        const { code, message } = parseFailedReason(job.failedReason);
        return { ...nameOf(job), ...askedOf(job), code, message, attempts: job.attemptsMade };
      }),
    };
  });
}

function runningImage(job: Job): RunningImage {
  return { ...nameOf(job), ...(progress.safeParse(job.progress).data ?? { done: 0, tiles: 0 }) };
}

async function dividedImage(job: Job): Promise<RunningImage> {
  const { processed = 0, unprocessed = 0 } = await job.getDependenciesCount({ processed: true, unprocessed: true });
  return { ...runningImage(job), shards: { done: processed, left: unprocessed } };
}

function nameOf(job: Job): { readonly jobId: string; readonly image: string } {
  const jobId = job.id ?? "";
  return { jobId, image: payload.safeParse(job.data).data?.image.uri ?? unknownImage(jobId) };
}

function askedOf(job: Job): { readonly method: string | null; readonly target: string | null } {
  const settings = asked.safeParse(job.data).data?.settings;
  return { method: settings?.methods.join(" ") ?? null, target: settings?.targets.join(" ") ?? null };
}

/** What stands for the image of a payload that this release does not understand. */
export function unknownImage(jobId: string): string {
  return `an unknown image (job ${jobId})`;
}

/** Whether nothing is left to do. */
export function isIdle({ waiting, active, delayed }: QueueState): boolean {
  return waiting + active + delayed === 0;
}

export function describeCounts(state: QueueState): string {
  const { paused, waiting, active, delayed, completed, failed, shards } = state;
  const images = `${paused ? "paused (slidelight resume ends it); " : ""}${waiting} waiting, ${active} running, ${delayed} to be tried again, ${completed} done, ${failed} failed`;
  const { waiting: w, active: a, delayed: d } = shards;
  return w + a + d === 0 ? images : `${images}; shards: ${w + d} waiting, ${a} running`;
}

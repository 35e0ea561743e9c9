import { parseFailedReason } from "@slidelight/contract";
import { z } from "zod";
import type { OpenQueue } from "./open-queue.ts";

/** What a queue holds now. */
export interface QueueState {
  readonly queue: string;
  readonly waiting: number;
  readonly active: number;
  /** Waiting for their next attempt. */
  readonly delayed: number;
  readonly completed: number;
  readonly failed: number;
  readonly running: readonly { readonly image: string; readonly done: number; readonly tiles: number }[];
  /** The last ones. */
  readonly failures: readonly {
    readonly image: string;
    readonly code: string;
    readonly message: string;
    readonly attempts: number;
  }[];
}

const shownFailures = 20;
const shownRunning = 20;

/** Payloads of other releases are shown as far as they are understood. */
const payload = z.object({ image: z.object({ uri: z.string() }) });
const progress = z.object({ done: z.number(), tiles: z.number() });

/** @throws {SlidelightError} `queue-unavailable`. */
export function readQueueState({ name, queue, ask }: OpenQueue): Promise<QueueState> {
  return ask(`Asking for the state of ${name}`, async () => {
    const [counts, active, failed] = await Promise.all([
      queue.getJobCounts("wait", "prioritized", "active", "delayed", "completed", "failed"),
      queue.getJobs(["active"], 0, shownRunning - 1),
      queue.getJobs(["failed"], 0, shownFailures - 1),
    ]);
    const count = (state: string): number => counts[state] ?? 0;
    return {
      queue: name,
      waiting: count("wait") + count("prioritized"),
      active: count("active"),
      delayed: count("delayed"),
      completed: count("completed"),
      failed: count("failed"),
      running: active.map((job) => ({
        image: imageOf(job.data),
        ...(progress.safeParse(job.progress).data ?? { done: 0, tiles: 0 }),
      })),
      failures: failed.map((job) => {
        const { code, message } = parseFailedReason(job.failedReason);
        return { image: imageOf(job.data), code, message, attempts: job.attemptsMade };
      }),
    };
  });
}

function imageOf(data: unknown): string {
  return payload.safeParse(data).data?.image.uri ?? "an unknown image";
}

/** Whether nothing is left to do. */
export function isIdle({ waiting, active, delayed }: QueueState): boolean {
  return waiting + active + delayed === 0;
}

export function describeCounts({ waiting, active, delayed, completed, failed }: QueueState): string {
  return `${waiting} waiting, ${active} running, ${delayed} to be tried again, ${completed} done, ${failed} failed`;
}

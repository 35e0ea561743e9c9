import { imageJobId } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import type { OpenQueue } from "./open-queue.ts";

/** A week and a month: by then results, not the queue, say what was done. */
const keepDone = { age: 7 * 86_400, count: 100_000 };
const keepFailed = { age: 30 * 86_400, count: 100_000 };
const firstDelayMs = 1000;
/** Images that failed together, because a store was down, come back spread out. */
const jitter = 0.5;

/**
 * Adds jobs that are not there yet, by their ids. Not atomic: run it again after a failure, what is there stays.
 * @returns How many were new.
 */
export async function addJobs(
  { queue, redis }: OpenQueue,
  jobs: readonly ImageJob[],
  options: { readonly attempts: number },
): Promise<number> {
  const byId = new Map(jobs.map((job) => [imageJobId(job), job]));
  const lookups = redis.pipeline();
  for (const id of byId.keys()) lookups.exists(queue.toKey(id));
  const present = (await lookups.exec()) ?? [];
  const absent = [...byId].filter((_, index) => present[index]?.[1] !== 1);
  if (absent.length === 0) return 0;
  try {
    await queue.addBulk(
      absent.map(([jobId, data]) => ({
        name: "image",
        data,
        opts: {
          jobId,
          attempts: options.attempts,
          backoff: { type: "exponential", delay: firstDelayMs, jitter },
          removeOnComplete: keepDone,
          removeOnFail: keepFailed,
        },
      })),
    );
  } catch (error) {
    throw new SlidelightError(
      "queue-unavailable",
      `Adding ${absent.length} jobs to ${queue.name} failed: ${error instanceof Error ? error.message : String(error)}. Run the command again: what was added stays, the rest is added.`,
      { cause: error },
    );
  }
  return absent.length;
}

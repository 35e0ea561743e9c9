import { imageJobId, keptJobs, parseFailedReason, retryPolicy } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import type { Queue } from "bullmq";
import type { OpenQueue } from "./open-queue.ts";

/** What became of jobs that were to be added. */
export interface Added {
  readonly added: number;
  /** Failed before for a reason that may have passed, and wait again. */
  readonly retried: number;
  /** Wait, run or are done already. */
  readonly present: number;
  /** Failed before, and would again. */
  readonly failed: number;
}

/**
 * Adds jobs that are not there yet, by their ids. Not atomic: run it again after a failure, what is there stays.
 * @throws {SlidelightError} `queue-unavailable`.
 */
export function addJobs(
  { queue, redis, name, ask }: OpenQueue,
  jobs: readonly ImageJob[],
  options: { readonly attempts: number },
): Promise<Added> {
  const byId = new Map(jobs.map((job) => [imageJobId(job), job]));
  return ask(`Adding ${jobs.length} jobs to ${name}`, async () => {
    const known = await statesOf([...byId.keys()], { queue, redis });
    const absent = [...byId].filter(([id]) => known.get(id) === undefined);
    if (absent.length > 0) await queue.addBulk(absent.map(([jobId, data]) => jobOf(jobId, data, options)));
    const retryable = [...known].filter(([, state]) => state === "may pass").map(([id]) => id);
    for (const id of retryable) await retry(id, queue);
    const failed = [...known.values()].filter((state) => state === "would fail again").length;
    const added = absent.length;
    return { added, retried: retryable.length, failed, present: jobs.length - added - retryable.length - failed };
  });
}

type KnownState = "there" | "may pass" | "would fail again";

/** The jobs that there are, in one round trip. */
async function statesOf(
  ids: readonly string[],
  { queue, redis }: Pick<OpenQueue, "queue" | "redis">,
): Promise<ReadonlyMap<string, KnownState>> {
  const lookups = redis.pipeline();
  for (const id of ids)
    lookups.exists(queue.toKey(id)).hget(queue.toKey(id), "failedReason").zscore(queue.toKey("failed"), id);
  const answers = (await lookups.exec()) ?? [];
  const known = new Map<string, KnownState>();
  ids.forEach((id, index) => {
    const [exists, reason, failedAt] = answers.slice(3 * index, 3 * index + 3).map(([error, value]) => {
      if (error !== null) throw error;
      return value;
    });
    if (exists !== 1) return;
    const failed = typeof failedAt === "string";
    const mayPass = typeof reason === "string" && parseFailedReason(reason).retryable;
    known.set(id, failed ? (mayPass ? "may pass" : "would fail again") : "there");
  });
  return known;
}

function jobOf(jobId: string, data: ImageJob, { attempts }: { readonly attempts: number }) {
  return {
    name: "image",
    data,
    opts: {
      jobId,
      attempts,
      backoff: retryPolicy.backoff,
      removeOnComplete: keptJobs.done,
      removeOnFail: keptJobs.failed,
    },
  };
}

async function retry(id: string, queue: Queue): Promise<void> {
  const job = await queue.getJob(id);
  await job?.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
}

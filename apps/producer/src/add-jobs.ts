import { imageJobId, keptJobs, parseFailedReason, retryPolicy } from "@slidelight/contract";
import type { ImageJob } from "@slidelight/contract";
import type { Queue } from "bullmq";
import type { ChainableCommander } from "ioredis";
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

export interface AddOptions {
  readonly attempts: number;
  /** From 1, the first, to 2,097,151; jobs without one come before all that have one. */
  readonly priority?: number;
}

type QueueAccess = Pick<OpenQueue, "queue" | "redis">;

/** Jobs that are added together: Redis takes them while the next ones are made, which is a third faster. */
const partSize = 250;

/**
 * Adds jobs that are not there yet, by their ids. Not atomic: run it again after a failure, what is there stays.
 * @throws {SlidelightError} `queue-unavailable`.
 */
export function addJobs(
  { queue, redis, name, ask }: OpenQueue,
  jobs: readonly ImageJob[],
  options: AddOptions,
): Promise<Added> {
  const byId = [...new Map(jobs.map((job) => [imageJobId(job), job]))];
  const parts = Array.from({ length: Math.ceil(byId.length / partSize) }, (_, index) =>
    byId.slice(index * partSize, (index + 1) * partSize),
  );
  return ask(`Adding ${jobs.length} jobs to ${name}`, async () => {
    const states = await Promise.all(parts.map((part) => addPart({ queue, redis }, part, options)));
    const known = new Map(states.flatMap((part) => [...part]));
    const retryable = [...known].filter(([, state]) => state === "may pass").map(([id]) => id);
    for (const id of retryable) await retry(id, queue);
    const failed = [...known.values()].filter((state) => state === "would fail again").length;
    const added = byId.length - known.size;
    return { added, retried: retryable.length, failed, present: jobs.length - added - retryable.length - failed };
  });
}

/** Adds those that are absent; gives the states of the others. */
async function addPart(
  access: QueueAccess,
  part: readonly (readonly [string, ImageJob])[],
  options: AddOptions,
): Promise<ReadonlyMap<string, KnownState>> {
  const known = await statesOf(
    part.map(([id]) => id),
    access,
  );
  const absent = part.filter(([id]) => !known.has(id));
  if (absent.length > 0) await access.queue.addBulk(absent.map(([jobId, data]) => jobOf(jobId, data, options)));
  return known;
}

type KnownState = "there" | "may pass" | "would fail again";

/** The jobs that there are. Most batches are all new or all known, and one command tells that. */
async function statesOf(
  ids: readonly string[],
  { queue, redis }: QueueAccess,
): Promise<ReadonlyMap<string, KnownState>> {
  const there = await existing(ids, { queue, redis });
  if (there.length === 0) return new Map();
  const failedAt = await redis.zmscore(queue.toKey("failed"), ...there);
  const failed = there.filter((_, index) => typeof failedAt[index] === "string");
  const reasons = await answersOf(
    failed.reduce((asked, id) => asked.hget(queue.toKey(id), "failedReason"), redis.pipeline()),
  );
  const states = new Map<string, KnownState>(there.map((id) => [id, "there"]));
  failed.forEach((id, index) => {
    const reason = reasons[index];
    const mayPass = typeof reason === "string" && parseFailedReason(reason).retryable;
    states.set(id, mayPass ? "may pass" : "would fail again");
  });
  return states;
}

async function existing(ids: readonly string[], { queue, redis }: QueueAccess): Promise<readonly string[]> {
  const keys = ids.map((id) => queue.toKey(id));
  const count = await redis.exists(keys);
  if (count === 0) return [];
  if (count === ids.length) return ids;
  const answers = await answersOf(keys.reduce((asked, key) => asked.exists(key), redis.pipeline()));
  return ids.filter((_, index) => answers[index] === 1);
}

async function answersOf(commands: ChainableCommander): Promise<readonly unknown[]> {
  const answers = (await commands.exec()) ?? [];
  return answers.map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}

function jobOf(jobId: string, data: ImageJob, { attempts, priority }: AddOptions) {
  return {
    name: "image",
    data,
    opts: {
      jobId,
      attempts,
      backoff: retryPolicy.backoff,
      removeOnComplete: keptJobs.done,
      removeOnFail: keptJobs.failed,
      ...(priority === undefined ? {} : { priority }),
    },
  };
}

async function retry(id: string, queue: Queue): Promise<void> {
  const job = await queue.getJob(id);
  await job?.retry("failed", { resetAttemptsMade: true, resetAttemptsStarted: true });
}

import {
  cancellationKey,
  failureOf,
  imageJobId,
  imageJobPayload,
  keptJobs,
  noSpan,
  parseFailedReason,
  priorities,
  retryPolicy,
} from "@slidelight/contract";
import type { Failure, ImageJob, PriorityName, TraceSpan } from "@slidelight/contract";
import type { OpenQueue } from "./open-queue.ts";

/** What became of jobs that were to be added. */
export interface Added {
  readonly added: number;
  /** Failed before for a reason that may have passed, or were cancelled, and wait again. */
  readonly retried: number;
  /** Wait, run or are done already. */
  readonly present: number;
  /** Failed before, and would again. */
  readonly failed: number;
  /** Were cancelled, and stay so. */
  readonly cancelled: number;
}

export interface AddOptions {
  readonly attempts: number;
  readonly priority: PriorityName;
  /** `again`: who enqueues now wishes what somebody else cancelled before. `leave`: the wish is older, as a schedule's. */
  readonly cancelled: "again" | "leave";
  /** The results of these jobs are known to be missing: one that the queue holds as done is done again. */
  readonly missing: boolean;
  /** Begins the trace of an image whose job is about to be added. */
  readonly trace?: (jobId: string, job: ImageJob) => TraceSpan;
}

/** Jobs that are added together: Redis takes them while the next ones are made, which is a third faster. */
const partSize = 250;

/**
 * Adds jobs that are not there yet, by their ids. Not atomic: run it again after a failure, what is there stays.
 * @throws {SlidelightError} `queue-unavailable`.
 */
export function addJobs(opened: OpenQueue, jobs: readonly ImageJob[], options: AddOptions): Promise<Added> {
  const byId = [...new Map(jobs.map((job) => [imageJobId(job), job]))];
  const parts = Array.from({ length: Math.ceil(byId.length / partSize) }, (_, index) =>
    byId.slice(index * partSize, (index + 1) * partSize),
  );
  return opened.ask(`Adding ${jobs.length} jobs to ${opened.name}`, async () => {
    const states = await Promise.all(parts.map((part) => addPart(opened, part, options)));
    const known = new Map(states.flatMap((part) => [...part]));
    const having = (...wanted: readonly KnownState[]): readonly string[] =>
      byId.map(([id]) => id).filter((id) => wanted.includes(known.get(id) ?? "absent"));
    const again = options.cancelled === "again";
    const retried = having("may pass", ...(again ? (["cancelled"] as const) : []));
    await putBack(retried, "failed", opened);
    const redone = options.missing ? having("done") : [];
    await putBack(redone, "completed", opened);
    const absent = having("absent", ...(again ? (["absent, cancelled"] as const) : [])).length;
    const failed = having("would fail again").length;
    const cancelled = again ? 0 : having("cancelled", "absent, cancelled").length;
    const changed = absent + retried.length + redone.length + failed + cancelled;
    return {
      added: absent + redone.length,
      retried: retried.length,
      failed,
      cancelled,
      present: jobs.length - changed,
    };
  });
}

/** Adds those that are absent; gives what was known of them all. */
async function addPart(
  opened: OpenQueue,
  part: readonly (readonly [string, ImageJob])[],
  options: AddOptions,
): Promise<ReadonlyMap<string, KnownState>> {
  const { queue, redis } = opened;
  const known = await statesOf(
    part.map(([id]) => id),
    opened,
  );
  const again = options.cancelled === "again";
  if (again && known.size > 0) await redis.unlink([...known.keys()].map(cancellationKey));
  const absent = part.filter(([id]) => {
    const state = known.get(id) ?? "absent";
    return state === "absent" || (again && state === "absent, cancelled");
  });
  if (absent.length > 0) await addAbsent(absent, { queue, options });
  return known;
}

async function addAbsent(
  absent: readonly (readonly [string, ImageJob])[],
  { queue, options }: { readonly queue: OpenQueue["queue"]; readonly options: AddOptions },
): Promise<void> {
  const { trace = () => noSpan } = options;
  const spans = absent.map(([id, job]) => trace(id, job));
  let failure: Failure | undefined;
  try {
    await queue.addBulk(
      absent.map(([id, job], index) => jobOf(id, job, { ...options, carrier: spans[index]?.carrier })),
    );
  } catch (error) {
    failure = failureOf(error);
    throw error;
  } finally {
    for (const span of spans) span.end(failure);
  }
}

/** Lets finished jobs wait again, with all their attempts. One that is finished no longer is left alone. */
export async function putBack(
  ids: readonly string[],
  state: "failed" | "completed",
  { queue, redis }: Pick<OpenQueue, "queue" | "redis">,
): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      const job = await queue.getJob(id);
      if (job === undefined) return;
      try {
        // BullMQ goes on counting lost workers: one more, and the job would fail at once.
        await redis.hdel(queue.toKey(id), "stc");
        await job.retry(state, { resetAttemptsMade: true, resetAttemptsStarted: true });
      } catch (error) {
        // Somebody else was faster.
        if (await queue.getJobState(id).then((now) => now === state)) throw error;
      }
    }),
  );
}

type KnownState = "absent" | "absent, cancelled" | "there" | "done" | "may pass" | "cancelled" | "would fail again";

/** The jobs as the queue knows them; none when it knows of none, as of most, which one command tells. */
async function statesOf(
  ids: readonly string[],
  { queue, redis }: Pick<OpenQueue, "queue" | "redis">,
): Promise<ReadonlyMap<string, KnownState>> {
  if ((await redis.exists(ids.flatMap((id) => [queue.toKey(id), cancellationKey(id)]))) === 0) return new Map();
  const lookups = redis.pipeline();
  for (const id of ids) {
    const key = queue.toKey(id);
    lookups
      .exists(key)
      .hget(key, "failedReason")
      .zscore(queue.toKey("failed"), id)
      .zscore(queue.toKey("completed"), id)
      .exists(cancellationKey(id));
  }
  const answers = (await lookups.exec()) ?? [];
  const width = 5;
  return new Map(
    ids.map((id, index) => {
      const values = answers.slice(width * index, width * (index + 1)).map(([error, value]) => {
        if (error !== null) throw error;
        return value;
      });
      return [id, stateOf(values)];
    }),
  );
}

function stateOf([exists, reason, failedAt, completedAt, flagged]: readonly unknown[]): KnownState {
  if (exists !== 1) return flagged === 1 ? "absent, cancelled" : "absent";
  if (typeof completedAt === "string") return "done";
  if (typeof failedAt !== "string") return "there";
  const { code, retryable } = parseFailedReason(typeof reason === "string" ? reason : "");
  if (code === "cancelled") return "cancelled";
  return retryable ? "may pass" : "would fail again";
}

interface JobOptions extends AddOptions {
  readonly carrier: string | undefined;
}

/** The trace goes into the job's options: neither its id nor its payload depends on it. */
function jobOf(jobId: string, data: ImageJob, { attempts, priority, carrier }: JobOptions) {
  return {
    name: "image",
    data: imageJobPayload(data),
    opts: {
      jobId,
      attempts,
      backoff: retryPolicy.backoff,
      removeOnComplete: keptJobs.done,
      removeOnFail: keptJobs.failed,
      ...priorities[priority],
      ...(carrier === undefined ? {} : { telemetry: { metadata: carrier } }),
    },
  };
}

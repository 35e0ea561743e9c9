import {
  cancellationKey,
  encodeFailureRecord,
  failureKey,
  parseFailedReason,
  parseImageJob,
  shardJobId,
  shardJobPayload,
} from "@slidelight/contract";
import type { Failure, FailureRecord, ImageJob, ShardJob } from "@slidelight/contract";
import { advanceImage, describeMaker, forgetWork, openStore } from "@slidelight/core";
import type { ExplanationResult, ImageProgress, Observe } from "@slidelight/core";
import { WaitingChildrenError } from "bullmq";
import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { explanationOf } from "./explanation-of-job.ts";
import { jobProcessor, NotNow, FailedForGood } from "./held-job.ts";
import type { HeldJob } from "./held-job.ts";
import { begunOf, imageOf, runIdsOf, workOf } from "./work-of.ts";
import type { BegunImage } from "./work-of.ts";
import type { WorkerResources } from "./worker-resources.ts";

export interface ImageQueues {
  readonly redis: Redis;
  readonly images: Queue;
  readonly shards: Queue;
  /** Whether shards wait that nobody computes; slides should finish before new ones are begun. */
  shardsComeFirst(): Promise<boolean>;
}

/** Jobs added in one round trip. */
const batch = 200;

/**
 * Does an image's job: explains it when it is small; else adds the shards that are missing as its children, waits for them
 * in the queue (and not here), and once none is missing, assembles and commits. What is missing is asked of the store each
 * time, so that the job may be taken up anywhere, after any crash.
 * @returns Pointers to the results, small enough for Redis.
 */
export function imageProcessor(resources: WorkerResources, queues: ImageQueues) {
  return jobProcessor<readonly ExplanationResult[]>(resources, {
    noun: "image",
    imageJobOf: ({ id = "" }) => id,
    about: aboutImage,
    outcome: outcomeOf,
    countFailed: (metrics) => metrics.image("failed"),
    perform: (held) => explainJob(held, resources, queues),
    failed: (held, failure) =>
      imageFailed(held, { ...failure, attempts: held.job.attemptsMade + 1 }, { resources, queues }),
  });
}

function outcomeOf(results: readonly ExplanationResult[]): "done" | "skipped" {
  return results.every(({ status }) => status === "skipped") ? "skipped" : "done";
}

/** What every line of the log about an image's job tells. */
export function aboutImage({ data, progress }: Job) {
  return { ...imageOf(data), ...runIdsOf(progress) };
}

async function explainJob(
  held: HeldJob,
  resources: WorkerResources,
  queues: ImageQueues,
): Promise<readonly ExplanationResult[]> {
  const { job, log, signal } = held;
  const startedMs = performance.now();
  const payload = parseImageJob(job.data);
  const known = workOf(job) !== undefined;
  // One that was put back after it had failed counts its attempts anew.
  const begun = known || job.attemptsStarted > 1;
  if (!known && (await queues.shardsComeFirst())) {
    throw new NotNow("shards-first", "shards of other images come first");
  }
  if (begun) await throwChildFailure(held, queues);
  log.info({ begun }, "image started");
  const { image, settings, resources: own } = await explanationOf(payload, held, resources);
  let pixels = 0;
  const observe: Observe = (event) => {
    if (event.kind === "work-begun") ({ pixels } = event);
    own.observe?.(event);
  };
  for (;;) {
    const before = begunOf(job);
    if (before !== undefined && before.anew > mostAnew) throw mixed(payload, before, resources);
    const previous =
      before === undefined ? {} : { previous: { ...before, awaited: await resources.makers.has(before.maker) } };
    const shared = { limits: resources.shards, begun, ...previous };
    const progress = await advanceImage(image, settings, { ...own, observe }, { shared, signal });
    if (progress.kind === "divided") {
      await leaveToShards(held, { payload, progress, queues });
      continue;
    }
    const { results } = progress;
    for (const result of results) {
      if (result.status === "failed") continue;
      const { status, runId, method, output } = result;
      log.info({ runId, status, method, output, seconds: (performance.now() - startedMs) / 1000 }, "image explained");
    }
    // What was done is skipped when the job is tried again.
    const failed = results.find((result) => result.status === "failed");
    if (failed !== undefined) throw failed.error;
    if (begun) await outlastShards(held);
    const outcome = outcomeOf(results);
    resources.metrics.image(outcome);
    if (outcome === "done") resources.metrics.explained(pixels);
    return results;
  }
}

/**
 * So often an image is begun anew because workers with the engine that began it are gone. An upgrade does that once; where engines
 * come and go for ever on one queue, an image must not be begun for ever.
 */
const mostAnew = 8;

function mixed({ image }: ImageJob, { anew, maker }: BegunImage, { makers }: WorkerResources): FailedForGood {
  return new FailedForGood({
    code: "engine-differs",
    message: `Going on with ${image.uri}: expected workers with the engine that has begun it (${describeMaker(maker)}), got ${describeMaker(makers.own)}, and it was begun anew ${anew} times already. Give each class of workers a --queue of its own, then retry --failed --code engine-differs.`,
  });
}

interface DividedImage {
  readonly payload: ImageJob;
  readonly progress: Extract<ImageProgress, { readonly kind: "divided" }>;
  readonly queues: ImageQueues;
}

/** Adds missing shards, unless they are there, and gives the job up until they are done. Returns when they are already. */
async function leaveToShards(
  { job, token, log, trace }: HeldJob,
  { payload, progress, queues }: DividedImage,
): Promise<void> {
  const { id: imageJobId = "" } = job;
  const shards = progress.shards.map(({ precision, sweep, shard }): ShardJob => {
    const plan = `${progress.work}/${precision}`;
    return { imageJobId, image: payload, maker: progress.maker, plan, sweep, shard };
  });
  const { attempts, backoff, lifo, priority } = job.opts;
  for (let start = 0; start < shards.length; start += batch) {
    await queues.shards.addBulk(
      shards.slice(start, start + batch).map((data) => ({
        name: "shard",
        data: shardJobPayload(data),
        opts: {
          jobId: shardJobId(data),
          parent: { id: imageJobId, queue: job.queueQualifiedName },
          ...(attempts === undefined ? {} : { attempts }),
          ...(backoff === undefined ? {} : { backoff }),
          ...(lifo === undefined ? {} : { lifo }),
          ...(priority === undefined ? {} : { priority }),
          ...(trace.carrier === undefined ? {} : { telemetry: { metadata: trace.carrier } }),
          // Its file in the store says that a shard is done, its image's job that it failed.
          removeOnComplete: true,
          removeOnFail: true,
          continueParentOnFailure: true,
        },
      })),
    );
  }
  log.info({ shards: shards.length, work: progress.work }, "image divided");
  if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
}

/**
 * A shard that failed for good fails its image, with the shard's own code and message. Shards that were still held when their image
 * failed, or was cancelled, may fail after it: an image that was put back since does not fail of that.
 */
async function throwChildFailure({ job }: HeldJob, { images, redis }: ImageQueues): Promise<void> {
  const { id = "" } = job;
  const reasons = Object.values(await job.getIgnoredChildrenFailures());
  if (reasons.length === 0) return;
  // BullMQ keeps them for as long as the job: a later attempt would fail of them again.
  await redis.del(images.toKey(`${id}:failed`));
  // It is begun anew, and has added no shard yet.
  if (job.attemptsStarted === 1) return;
  const cancelled = (await redis.exists(cancellationKey(id))) === 1;
  const reason = reasons.find((text) => cancelled || parseFailedReason(text).code !== "cancelled");
  if (reason === undefined) return;
  await job.removeUnprocessedChildren();
  const { code, message } = parseFailedReason(reason);
  throw new FailedForGood({ code, message });
}

/**
 * A job can't be completed while children of it are in the queue: shards that another worker computed, but could not say so
 * before it was lost. Those that wait are removed; those that are held end by themselves, soon.
 */
async function outlastShards({ job, token }: HeldJob): Promise<void> {
  await job.removeUnprocessedChildren();
  if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
}

/** Of a payload of any release, what is told of it when it fails. */
const failureSubject = z.object({
  image: z.object({ uri: z.string(), key: z.string(), etag: z.string(), bytes: z.number() }),
  model: z.object({ uri: z.string(), sha256: z.string() }),
  out: z.string(),
  settings: z.object({ methods: z.array(z.string()), targets: z.array(z.string()) }),
});

/** How an image has failed, and in which attempt. */
interface ImageFailure extends Failure {
  readonly attempts: number;
  readonly last: boolean;
}

interface FailedOptions {
  readonly resources: WorkerResources;
  readonly queues: ImageQueues;
}

/** Into the job's log; after the last attempt beside the results, where it outlasts the queue. */
export async function imageFailed(
  { job, log }: Pick<HeldJob, "job" | "log">,
  { code, message, attempts, last }: ImageFailure,
  { resources, queues }: FailedOptions,
): Promise<void> {
  await job.log(`${new Date().toISOString()} attempt ${attempts}: [${code}] ${message}`);
  if (!last) return;
  await job.removeUnprocessedChildren();
  const subject = failureSubject.safeParse(job.data).data;
  if (subject === undefined) {
    log.warn("the job's payload does not tell where to write its failure down");
    return;
  }
  const { image, model, out, settings } = subject;
  const store = openStore(out, resources.storage);
  const { id: jobId = "" } = job;
  const record: FailureRecord = {
    schemaVersion: 1,
    image,
    model,
    jobId,
    methods: [...settings.methods],
    targets: [...settings.targets],
    code,
    message,
    attempts,
    failedAt: new Date().toISOString(),
    worker: resources.worker,
    log: (await queues.images.getJobLogs(jobId)).logs,
  };
  await store.put(failureKey(record), encodeFailureRecord(record), { contentType: "application/json" });
  // Nobody goes on with its parts.
  const work = workOf(job);
  if (work !== undefined) await forgetWork(store, work);
  log.debug({ key: failureKey(record) }, "failure written down");
}

import {
  aborted,
  imageQueueName,
  openHealthServer,
  openLastingRedis,
  redactedUrl,
  shardQueueName,
  storageSettings,
  within,
} from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { makerOf, openFinisher, openProgramCache, openScratch, openSpeedMeter, shardLimits } from "@slidelight/core";
import type { Engine } from "@slidelight/core";
import { Queue, Worker } from "bullmq";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { pino } from "pino";
import { openCancellations } from "./cancellations.ts";
import type { WorkerConfig } from "./config.ts";
import { imageLimits } from "./engine-options.ts";
import { imageFailed, imageProcessor, isLostForGood } from "./image-processor.ts";
import type { ImageQueues } from "./image-processor.ts";
import { openJobTaking } from "./job-taking.ts";
import { openMetrics } from "./metrics.ts";
import { openModelCache } from "./model-cache.ts";
import { openPresentMakers } from "./present-makers.ts";
import { openPressure } from "./pressure.ts";
import { shardProcessor } from "./shard-processor.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** Less than the 20 s that are promised: the process must be gone by then. */
const stopMs = 18_000;
/** How long Redis may take for what is asked while somebody waits. */
const answerMs = 2000;
/**
 * Workers of a cluster are killed all the time, which is no fault of the image; one that takes its worker's memory must
 * not kill workers for ever.
 */
const maxLosses = 10;

const counted = ["wait", "prioritized", "active", "delayed", "waiting-children", "completed", "failed"] as const;

export interface RunWorkerOptions {
  /** Opens what the worker computes with. */
  readonly openEngine: (config: WorkerConfig["engine"], options: { readonly signal: AbortSignal }) => Promise<Engine>;
}

/**
 * Explains the queue's images until the context's signal aborts; then hands back what it holds.
 * @throws {SlidelightError} `queue-unavailable`, `engine-unavailable`, `output-unwritable`, `usage`.
 */
export async function runWorker(
  config: WorkerConfig,
  context: CommandContext,
  { openEngine }: RunWorkerOptions,
): Promise<void> {
  const names = { images: imageQueueName(config.queue.queue), shards: shardQueueName(config.queue.queue) };
  const worker = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const log = pino({ level: config.logLevel, base: { worker, queue: names.images } }, context.stderr);
  await using redis = await openLastingRedis(config.queue.redis, (error) =>
    log.warn({ err: error }, "Redis is out of reach"),
  );
  await using scratch = await openScratch(config.engine.scratch);
  await using engine = await openEngine(config.engine, { signal: context.signal });
  await using programs = openProgramCache(engine);
  await using finisher = openFinisher();
  const connection = redis.client;
  await using images = closing(new Queue(names.images, { connection }));
  await using shards = closing(new Queue(names.shards, { connection }));
  using pressure = openPressure({ folder: scratch.folder, minFreeBytes: config.minFree, log });
  using cancellations = openCancellations(redis.client, log);
  const lockMs = config.lockSeconds * 1000;
  const own = makerOf(engine);
  using makers = await openPresentMakers(redis.client, { own, queue: names.images, worker, goneMs: lockMs, log });
  const countsOf = async (queue: Queue) => (await within(answerMs, queue.getJobCounts(...counted))) ?? {};
  const metrics = openMetrics(engine, {
    queueCounts: async () => ({ images: await countsOf(images.queue), shards: await countsOf(shards.queue) }),
    freeBytes: () => pressure.freeBytes,
  });
  const storage = storageSettings(config.storage);
  const stopping = new AbortController();
  const resources: WorkerResources = {
    worker,
    engine,
    programs,
    finisher,
    speeds: openSpeedMeter(),
    models: openModelCache(storage),
    storage,
    scratch: scratch.folder,
    limits: imageLimits(config.engine),
    shards: { ...shardLimits, seconds: config.shardSeconds },
    ...(config.engine.memory === undefined ? {} : { memoryBytes: config.engine.memory }),
    metrics,
    log,
    stopping: stopping.signal,
    cancellations,
    pressure,
    makers,
    hasRoom: () => taking.hasRoom(),
  };
  const queues: ImageQueues = {
    redis: redis.client,
    images: images.queue,
    shards: shards.queue,
    shardsComeFirst: () => taking.shardsComeFirst(),
  };
  const options = {
    connection,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    maxStalledCount: maxLosses,
    autorun: false,
  };
  const explainOne = imageProcessor(resources, queues);
  const computeOne = shardProcessor(resources, images.queue);
  const workers = {
    images: new Worker(names.images, (job, token, signal) => explainOne(job, token, signal), {
      ...options,
      concurrency: config.concurrency,
    }),
    shards: new Worker(names.shards, (job, token, signal) => computeOne(job, token, signal), options),
  };
  for (const [kind, taker] of Object.entries(workers)) {
    taker.on("error", (error) => log.error({ err: error, kind }, "queue trouble"));
    taker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) taker.cancelJob(id, "its lock was lost");
    });
    taker.on("stalled", (jobId) => log.warn({ jobId, kind }, "job of a lost worker is taken up again"));
  }
  const recording = new Set<Promise<void>>();
  workers.images.on("failed", (job, error) => {
    if (!isLostForGood(job, error)) return;
    metrics.image("failed");
    const failure = { code: "worker-lost", message: error.message, last: true } as const;
    const record = imageFailed({ job, log }, failure, { resources, queues })
      .catch((trouble: unknown) => log.warn({ err: trouble }, "the failure could not be written down"))
      .finally(() => recording.delete(record));
    recording.add(record);
  });
  await using health = await openHealthServer({
    port: config.port,
    metrics,
    notReady: async () => {
      if (stopping.signal.aborted) return "stopping";
      if (pressure.high) return "the scratch disk is nearly full";
      if (redis.client.status !== "ready") return `Redis is ${redis.client.status}`;
      return (await within(answerMs, redis.client.ping())) === undefined ? "Redis does not answer" : undefined;
    },
  });
  using taking = openJobTaking({
    ...workers,
    imageQueue: images.queue,
    shardQueue: shards.queue,
    redis: redis.client,
    pressure,
    log,
  });
  const running = [workers.shards.run(), workers.images.run()];
  log.info(
    {
      port: health.port,
      redis: redactedUrl(config.queue.redis),
      engine: engine.name,
      provider: engine.provider,
      device: engine.device,
    },
    "worker ready",
  );
  await aborted(context.signal);
  log.info("stopping: no more jobs are taken, those that run are handed back");
  taking[Symbol.dispose]();
  // The last one with its engine is missed the sooner.
  makers[Symbol.dispose]();
  // A tile in the engine can't be interrupted, and Redis may not answer. What was not handed back is found by its lock.
  setTimeout(() => {
    log.error({ seconds: stopMs / 1000 }, "stopping took too long: leaving");
    process.exit(1);
  }, stopMs).unref();
  // First no more fetching, then the abort: a job handed back must not come straight back.
  const closed = Object.values(workers).map((taker) => taker.close());
  stopping.abort(new Error("The worker is stopping."));
  await Promise.all(closed);
  await Promise.all(running);
  await Promise.all(recording);
  log.info("stopped");
}

function closing(queue: Queue): AsyncDisposable & { readonly queue: Queue } {
  return { queue, [Symbol.asyncDispose]: () => queue.close() };
}

import {
  aborted,
  asking,
  imageQueueName,
  noteWorkerClass,
  openLastingRedis,
  openTracing,
  parseFailedReason,
  processName,
  redactedUrl,
  shardQueueName,
  storageSettings,
  within,
} from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { failureFields, openHealthServer, openLog } from "@slidelight/contract/service";
import {
  makerOf,
  openFinisher,
  openProgramCache,
  openReaders,
  openScratch,
  openSpeedMeter,
  shardLimits,
} from "@slidelight/core";
import type { Engine } from "@slidelight/core";
import { Queue, Worker } from "bullmq";
import { openCancellations } from "./cancellations.ts";
import type { WorkerConfig } from "./config.ts";
import { imageLimits } from "./engine-options.ts";
import { openEngineHealth } from "./engine-health.ts";
import { idleFor, undone } from "./idleness.ts";
import { aboutImage, imageFailed, imageProcessor, isLostForGood } from "./image-processor.ts";
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

export interface RunWorkerOptions {
  /** Opens what the worker computes with. */
  readonly openEngine: (config: WorkerConfig["engine"], options: { readonly signal: AbortSignal }) => Promise<Engine>;
}

/**
 * Explains the queue's images until the context's signal aborts, or nothing is left to do where that was asked for; then
 * hands back what it holds.
 * @throws {SlidelightError} `queue-unavailable`, `engine-unavailable`, `output-unwritable`, `usage`; `engine-failed` when the
 * engine broke, after what the worker held was handed back.
 */
export async function runWorker(
  config: WorkerConfig,
  context: CommandContext,
  { openEngine }: RunWorkerOptions,
): Promise<void> {
  const names = { images: imageQueueName(config.queue.queue), shards: shardQueueName(config.queue.queue) };
  const worker = processName();
  using own = openLog({
    level: config.logLevel,
    base: { worker },
    environment: context.environment,
    redis: config.queue.redis,
    stream: context.stderr,
  });
  // Lines about a job name its own queue.
  const log = own.log.child({ queue: names.images });
  await using tracing = await openTracing({
    environment: context.environment,
    service: "slidelight-worker",
    instance: worker,
    warn: (why) => log.warn({ why }, "trace trouble"),
  });
  await using redis = await openLastingRedis(config.queue.redis, (error) =>
    log.warn({ err: error }, "Redis is out of reach"),
  );
  await using scratch = await openScratch(config.engine.scratch);
  await using engine = await openEngine(config.engine, { signal: context.signal });
  const engineHealth = openEngineHealth(engine, log);
  await using programs = openProgramCache(engine);
  await using finisher = openFinisher();
  await using readers = openReaders();
  const connection = redis.client;
  await using images = closing(new Queue(names.images, { connection }));
  await using shards = closing(new Queue(names.shards, { connection }));
  using pressure = openPressure({ folder: scratch.folder, minFreeBytes: config.minFree, log });
  using cancellations = openCancellations(redis.client, log);
  const lockMs = config.lockSeconds * 1000;
  const maker = makerOf(engine);
  const ask = asking(config.queue.redis);
  using makers = await ask("Telling which engine is here", () =>
    openPresentMakers(redis.client, { own: maker, queue: names.images, worker, goneMs: lockMs, log }),
  );
  await ask("Telling which queue has workers", () => noteWorkerClass(redis.client, config.queue.queue));
  const metrics = openMetrics({
    engine,
    queue: config.queue.queue,
    redis: redis.client,
    scratch: { space: () => pressure.space, minFreeBytes: config.minFree },
  });
  const settings = storageSettings(config.storage);
  const storage = { ...settings, s3: { ...settings.s3, onRetry: metrics.retried } };
  const stopping = new AbortController();
  // Before there are workers, whose connections would outlast an error: the port may be taken.
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
  const resources: WorkerResources = {
    worker,
    engine,
    health: engineHealth,
    programs,
    finisher,
    readers,
    speeds: openSpeedMeter(),
    models: openModelCache(storage),
    storage,
    scratch: scratch.folder,
    limits: imageLimits(config.engine),
    shards: { ...shardLimits, seconds: config.shardSeconds },
    ...(config.engine.memory === undefined ? {} : { memoryBytes: config.engine.memory }),
    metrics,
    log: own.log,
    tracing,
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
  for (const kind of ["images", "shards"] as const) {
    const taker = workers[kind];
    taker.on("error", (error) => own.log.error({ queue: names[kind], err: error }, "queue trouble"));
    taker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) taker.cancelJob(id, "its lock was lost");
    });
    taker.on("stalled", (jobId) => {
      metrics.stalled(kind);
      own.log.warn({ queue: names[kind], jobId }, "job of a lost worker is taken up again");
    });
  }
  const recording = new Set<Promise<void>>();
  workers.images.on("failed", (job, error) => {
    if (!isLostForGood(job, error)) return;
    metrics.image("failed");
    // BullMQ has counted it already.
    const attempts = job.attemptsMade;
    const { code, message } = parseFailedReason(error.message);
    const failure = { code, message, attempts, last: true };
    metrics.failure("images", { code: failure.code, final: true });
    const jobLog = own.log.child({ queue: names.images, jobId: job.id, attempt: attempts, ...aboutImage(job) });
    jobLog.error({ ...failureFields(failure), last: true }, "image failed");
    const record = imageFailed({ job, log: jobLog }, failure, { resources, queues })
      .catch((trouble: unknown) => jobLog.warn({ err: trouble }, "the failure could not be written down"))
      .finally(() => recording.delete(record));
    recording.add(record);
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
  const leave = AbortSignal.any([context.signal, engineHealth.broken]);
  if (config.untilIdle === undefined) await aborted(leave);
  else {
    await idleFor(
      () => within(answerMs, Promise.all([images, shards].map(({ queue }) => queue.getJobCounts(...undone)))),
      { seconds: config.untilIdle, signal: leave },
    );
    if (!leave.aborted) log.info({ seconds: config.untilIdle }, "nothing is left to do");
  }
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
  // For whoever starts workers: another one may compute.
  engineHealth.broken.throwIfAborted();
}

function closing(queue: Queue): AsyncDisposable & { readonly queue: Queue } {
  // The connection and the workers, which share it, tell the same.
  queue.on("error", () => undefined);
  return { queue, [Symbol.asyncDispose]: () => queue.close() };
}

import {
  aborted,
  asking,
  imageQueueName,
  noteWorkerClass,
  openLastingRedis,
  openTracing,
  processName,
  redactedUrl,
  shardQueueName,
  storageSettings,
  within,
} from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { openHealthServer, openLog } from "@slidelight/contract/service";
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
import { Queue } from "bullmq";
import { openCancellations } from "./cancellations.ts";
import type { WorkerConfig } from "./config.ts";
import { imageLimits } from "./engine-options.ts";
import { openEngineHealth } from "./engine-health.ts";
import { idleFor, undone } from "./idleness.ts";
import type { ImageQueues } from "./image-processor.ts";
import { openJobTaking } from "./job-taking.ts";
import { recordLostImages } from "./lost-images.ts";
import { openMetrics } from "./metrics.ts";
import { openModelCache } from "./model-cache.ts";
import { openPresentMakers } from "./present-makers.ts";
import { openPressure } from "./pressure.ts";
import { openTakers } from "./takers.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** Less than the 20 s that are promised: the process must be gone by then. */
const stopMs = 18_000;
/** How long Redis may take for what is asked while somebody waits. */
const answerMs = 2000;

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
    notReady: () => whyNotReady({ stopping: stopping.signal, pressure, redis: redis.client }),
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
  const takers = openTakers(resources, queues, { lockMs, concurrency: config.concurrency });
  const lost = recordLostImages(takers.images, resources, queues);
  using taking = openJobTaking({
    images: takers.images,
    shards: takers.shards,
    imageQueue: images.queue,
    shardQueue: shards.queue,
    redis: redis.client,
    pressure,
    log,
  });
  takers.run();
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
  await takers.stop(() => stopping.abort(new Error("The worker is stopping.")));
  await lost.written();
  log.info("stopped");
  // For whoever starts workers: another one may compute.
  engineHealth.broken.throwIfAborted();
}

/** `undefined` when the worker can take jobs. */
async function whyNotReady({
  stopping,
  pressure,
  redis,
}: Pick<WorkerResources, "stopping" | "pressure"> & Pick<ImageQueues, "redis">): Promise<string | undefined> {
  if (stopping.aborted) return "stopping";
  if (pressure.high) return "the scratch disk is nearly full";
  if (redis.status !== "ready") return `Redis is ${redis.status}`;
  return (await within(answerMs, redis.ping())) === undefined ? "Redis does not answer" : undefined;
}

function closing(queue: Queue): AsyncDisposable & { readonly queue: Queue } {
  // The connection and the workers, which share it, tell the same.
  queue.on("error", () => undefined);
  return { queue, [Symbol.asyncDispose]: () => queue.close() };
}

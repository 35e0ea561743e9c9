import { addOptions, imageQueueName, openHealthServer, redactedUrl, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { openFinisher, openProgramCache, SlidelightError } from "@slidelight/core";
import { Queue, Worker } from "bullmq";
import type { Command } from "commander";
import { Redis } from "ioredis";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import { pino } from "pino";
import type { Logger } from "pino";
import { loadWorkerConfig, workerOptions } from "./config.ts";
import type { WorkerConfig } from "./config.ts";
import { imageLimits, openEngineOf } from "./engine-options.ts";
import { imageProcessor } from "./image-processor.ts";
import { openMetrics } from "./metrics.ts";

/** Kubernetes kills 30 s after it asked to stop. */
const stopMs = 20_000;
/** How long Redis may take for what is asked while somebody waits. */
const answerMs = 2000;
/**
 * Workers of a cluster are killed all the time, which is no fault of the image; one that takes its worker's memory must
 * not kill workers for ever.
 */
const maxLosses = 10;

const counted = ["wait", "prioritized", "active", "delayed", "completed", "failed"] as const;

export function defineWorker(program: Command, context: CommandContext): void {
  const command = program.command("worker").description("Explain the queue's images until SIGTERM.");
  addOptions(command, workerOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    await runWorker(loadWorkerConfig(context.environment, flags), context);
  });
}

async function runWorker(config: WorkerConfig, context: CommandContext): Promise<void> {
  const name = imageQueueName(config.queue.queue);
  const log = pino(
    { level: config.logLevel, base: { worker: `${hostname()}-${randomUUID().slice(0, 8)}`, queue: name } },
    context.stderr,
  );
  await using redis = await openRedis(config.queue.redis, log);
  await using engine = await openEngineOf(config.engine, { signal: context.signal });
  await using programs = openProgramCache(engine);
  await using finisher = openFinisher();
  const queue = new Queue(name, { connection: redis.client });
  const metrics = openMetrics(engine, () => within(answerMs, queue.getJobCounts(...counted)));
  const stopping = new AbortController();
  const processor = imageProcessor({
    engine,
    programs,
    finisher,
    storage: storageSettings(config.storage),
    scratch: config.engine.scratch,
    limits: imageLimits(config.engine),
    ...(config.engine.memory === undefined ? {} : { memoryBytes: config.engine.memory }),
    metrics,
    log,
    stopping: stopping.signal,
  });
  const worker = new Worker(name, (job, token, signal) => processor(job, token, signal), {
    connection: redis.client,
    concurrency: config.concurrency,
    maxStalledCount: maxLosses,
    autorun: false,
  });
  worker.on("error", (error) => log.error({ err: error }, "queue trouble"));
  worker.on("stalled", (jobId) => log.warn({ jobId }, "image of a lost worker is taken up again"));
  await using health = await openHealthServer({
    port: config.port,
    metrics,
    notReady: async () => {
      if (stopping.signal.aborted) return "stopping";
      if (redis.client.status !== "ready") return `Redis is ${redis.client.status}`;
      return (await within(answerMs, redis.client.ping())) === undefined ? "Redis does not answer" : undefined;
    },
  });
  const running = worker.run();
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
  log.info("stopping: no more jobs are taken, the running one is handed back");
  // A tile in the engine can't be interrupted, and Redis may not answer. What was not handed back is found by its lock.
  setTimeout(() => {
    log.error({ seconds: stopMs / 1000 }, "stopping took too long: leaving");
    process.exit(1);
  }, stopMs).unref();
  // First no more fetching, then the abort: a job handed back must not come straight back.
  const closing = worker.close();
  stopping.abort(new Error("The worker is stopping."));
  await closing;
  await running;
  await queue.close();
  log.info("stopped");
}

/** What is asked for; `undefined` when it fails or takes too long. */
async function within<T>(timeoutMs: number, asked: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      asked.catch(() => undefined),
      setTimeoutPromise(timeoutMs, undefined, { signal: timer.signal }),
    ]);
  } finally {
    timer.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

interface RedisConnection extends AsyncDisposable {
  readonly client: Redis;
}

/** A connection that, once it stood, is made again for ever. @throws {SlidelightError} `queue-unavailable`. */
async function openRedis(address: string, log: Logger): Promise<RedisConnection> {
  let stood = false;
  const client = new Redis(address, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    retryStrategy: (tries) => (stood ? Math.min(5000, 100 * 2 ** Math.min(tries, 6)) : null),
  });
  let last: unknown;
  client.on("error", (error: Error) => {
    last = error;
    if (stood) log.warn({ err: error }, "Redis is out of reach");
  });
  try {
    await client.connect();
  } catch (error) {
    client.disconnect();
    const cause = last ?? error;
    throw new SlidelightError(
      "queue-unavailable",
      `Connecting to Redis at ${redactedUrl(address)} failed: ${cause instanceof Error ? cause.message : String(cause)}. Start it (redis-server), or name another with --redis or REDIS_URL.`,
      { cause },
    );
  }
  stood = true;
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
    },
  };
}

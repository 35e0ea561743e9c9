import { imageQueueName, redactedUrl } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import { Queue } from "bullmq";
import { Redis } from "ioredis";

export interface OpenQueue extends AsyncDisposable {
  readonly name: string;
  readonly queue: Queue;
  readonly redis: Redis;
  /** Does something with the queue. @throws {SlidelightError} `queue-unavailable`: `<doing> failed`, and why. */
  ask<T>(doing: string, work: () => Promise<T>): Promise<T>;
}

/** The queue as seen from outside; unlike a worker's, its connection fails fast. @throws {SlidelightError} `queue-unavailable`. */
export async function openQueue({
  redis: address,
  queue: suffix,
}: {
  readonly redis: string;
  readonly queue?: string;
}): Promise<OpenQueue> {
  const redis = new Redis(address, {
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    connectTimeout: 5000,
    retryStrategy: () => null,
  });
  let last: unknown;
  redis.on("error", (error: Error) => {
    last = error;
  });
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw unavailable(`Connecting to Redis at ${redactedUrl(address)}`, last ?? error);
  }
  const name = imageQueueName(suffix);
  const queue = new Queue(name, { connection: redis });
  queue.on("error", (error) => {
    last = error;
  });
  return {
    name,
    queue,
    redis,
    ask: async (doing, work) => {
      try {
        return await work();
      } catch (error) {
        throw unavailable(`${doing} in Redis at ${redactedUrl(address)}`, error);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}

function unavailable(doing: string, cause: unknown): SlidelightError {
  return new SlidelightError(
    "queue-unavailable",
    `${doing} failed: ${cause instanceof Error ? cause.message : String(cause)}. Start it (redis-server), or name another with --redis or REDIS_URL, and run the command again: what was done stays.`,
    { cause },
  );
}

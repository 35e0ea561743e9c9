import { queueName, redactedUrl } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import { Queue } from "bullmq";
import { Redis } from "ioredis";

export interface OpenQueue extends AsyncDisposable {
  readonly name: string;
  readonly queue: Queue;
  readonly redis: Redis;
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
    throw unavailable(address, last ?? error);
  }
  const name = queueName(suffix);
  const queue = new Queue(name, { connection: redis });
  queue.on("error", (error) => {
    last = error;
  });
  return {
    name,
    queue,
    redis,
    [Symbol.asyncDispose]: async () => {
      await queue.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}

function unavailable(address: string, cause: unknown): SlidelightError {
  return new SlidelightError(
    "queue-unavailable",
    `Connecting to Redis at ${redactedUrl(address)} failed: ${cause instanceof Error ? cause.message : String(cause)}. Start it (redis-server), or name another with --redis or REDIS_URL.`,
    { cause },
  );
}

import { redactedUrl } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import { Redis } from "ioredis";
import type { Logger } from "pino";

interface RedisConnection extends AsyncDisposable {
  readonly client: Redis;
}

/** A connection that, once it stood, is made again for ever. @throws {SlidelightError} `queue-unavailable`. */
export async function openRedis(address: string, log: Logger): Promise<RedisConnection> {
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

import { setTimeout as pause } from "node:timers/promises";
import { messageOf, SlidelightError } from "@slidelight/core/request";
import type { Redis } from "ioredis";
import { redactedUrl } from "./queue-options.ts";

/** Does something with Redis. @throws {SlidelightError} `queue-unavailable`: `<doing> failed`, and why. */
export type Ask = <T>(doing: string, work: () => Promise<T>) => Promise<T>;

export interface Patience {
  /** How long Redis may take to answer; by default longer than it needs for a fork or a slow script. */
  readonly answerMs?: number;
}

const patientMs = 15_000;

/** A connection that fails fast, for a command that somebody waits for. @throws {SlidelightError} `queue-unavailable`. */
export async function connect(address: string, { answerMs = patientMs }: Patience = {}): Promise<Redis> {
  const { Redis: Client } = await import("ioredis");
  const redis = new Client(address, {
    lazyConnect: true,
    maxRetriesPerRequest: 1,
    connectTimeout: 5000,
    commandTimeout: answerMs,
    retryStrategy: () => null,
  });
  let last: unknown;
  redis.on("error", (error: Error) => {
    last = error;
  });
  try {
    await connected(redis, answerMs);
    return redis;
  } catch (error) {
    leave(redis);
    throw unavailable(`Connecting to Redis at ${redactedUrl(address)}`, last ?? error);
  }
}

export interface LastingRedis extends AsyncDisposable {
  readonly client: Redis;
}

/** A connection that, once it stood, is made again for ever. @throws {SlidelightError} `queue-unavailable`. */
export async function openLastingRedis(
  address: string,
  trouble: (error: Error) => void,
  { answerMs = patientMs }: Patience = {},
): Promise<LastingRedis> {
  const { Redis: Client } = await import("ioredis");
  let stood = false;
  const client = new Client(address, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    retryStrategy: (tries) => (stood ? Math.min(5000, 100 * 2 ** Math.min(tries, 6)) : null),
  });
  let last: unknown;
  client.on("error", (error: Error) => {
    last = error;
    if (stood) trouble(error);
  });
  try {
    await connected(client, answerMs);
  } catch (error) {
    leave(client);
    throw unavailable(`Connecting to Redis at ${redactedUrl(address)}`, last ?? error);
  }
  stood = true;
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      client.disconnect();
    },
  };
}

/**
 * Waits until Redis answers, with the database that was asked for.
 * @throws {Error} Also where somebody takes the connection and says nothing, for which ioredis would wait for ever.
 */
async function connected(client: Redis, answerMs: number): Promise<void> {
  const answered = new AbortController();
  const silence = async (): Promise<never> => {
    await pause(answerMs, undefined, { signal: answered.signal });
    throw new Error(`no answer for ${answerMs / 1000} s, although the connection was taken`);
  };
  try {
    await Promise.race([client.connect().then(() => selected(client)), silence()]);
  } finally {
    answered.abort();
  }
}

/** Where there is no such database, ioredis says so to nobody who waits, and goes on in the first one. */
async function selected(client: Redis): Promise<void> {
  const { db = 0 } = client.options;
  if (db !== 0) await client.select(db);
}

/** Of a connection that has ended, ioredis would wait two seconds for the end, and the process with it. */
function leave(client: Redis): void {
  if (client.status !== "end") client.disconnect();
}

/** The `ask` of a Redis: failures as `queue-unavailable`. */
export function asking(address: string): Ask {
  return async (doing, work) => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SlidelightError) throw error;
      throw unavailable(`${doing} in Redis at ${redactedUrl(address)}`, error);
    }
  };
}

const givePassword =
  "Give the password in the address, redis://:password@host, or redis://user:password@host for a user of Redis,";
const startIt = "Start it (redis-server), or name another";

/** What to do about what Redis says, by how that begins. */
const advices: readonly (readonly [answer: string, advice: string])[] = [
  ["NOAUTH ", givePassword],
  ["WRONGPASS ", givePassword],
  ["NOPERM ", "Let the user do that (docs/operations.md, Permissions), or name another"],
  ["ERR DB index ", "Name a database that it has, or leave it away for the first one,"],
  ["ERR invalid DB index", "Name a database that it has, or leave it away for the first one,"],
];

function unavailable(doing: string, cause: unknown): SlidelightError {
  const message = messageOf(cause);
  const advice = advices.find(([answer]) => message.startsWith(answer))?.[1] ?? startIt;
  return new SlidelightError(
    "queue-unavailable",
    `${doing} failed: ${message}. ${advice} with --redis (SLIDELIGHT_REDIS or REDIS_URL), and run the command again: what was done stays.`,
    { cause },
  );
}

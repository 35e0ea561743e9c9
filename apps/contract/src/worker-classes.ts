import type { Redis } from "ioredis";

/** A set of what was given as `--queue`; the empty text stands for nothing. */
const key = "slidelight:worker-classes";

/** What metrics call the workers of `--queue`, and those without. */
export function workerClassName(queue: string | undefined): string {
  return queue ?? "default";
}

/** Remembers that a queue is used, by whoever adds to it or works for it: a planner tells the state of all of them. */
export async function noteWorkerClass(redis: Redis, queue: string | undefined): Promise<void> {
  await redis.sadd(key, queue ?? "");
}

/** What was ever given as `--queue` to a command that adds jobs or does them, in order. */
export async function knownWorkerClasses(redis: Redis): Promise<readonly (string | undefined)[]> {
  return (await redis.smembers(key)).sort().map((queue) => (queue === "" ? undefined : queue));
}

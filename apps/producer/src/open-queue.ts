import { asking, connect, imageQueueName, planQueueName, shardQueueName } from "@slidelight/contract";
import type { Ask } from "@slidelight/contract";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";

export interface QueueAddress {
  readonly redis: string;
  /** Of a class of workers. */
  readonly queue?: string;
}

export interface OpenQueue extends AsyncDisposable {
  readonly name: string;
  /** As given with `--queue`. */
  readonly suffix: string | undefined;
  /** One job an image. */
  readonly queue: Queue;
  /** One job a part of a large image. */
  readonly shards: Queue;
  readonly redis: Redis;
  readonly ask: Ask;
}

/** The queue as seen from outside; unlike a worker's, its connection fails fast. @throws {SlidelightError} `queue-unavailable`. */
export async function openQueue(address: QueueAddress): Promise<OpenQueue> {
  const redis = await connect(address.redis);
  const queue = queueOn(redis, address);
  return {
    ...queue,
    [Symbol.asyncDispose]: async () => {
      await queue[Symbol.asyncDispose]();
      redis.disconnect();
    },
  };
}

/** The same on a connection that others use too: it stays open. */
export function queueOn(redis: Redis, { redis: address, queue: suffix }: QueueAddress): OpenQueue {
  const name = imageQueueName(suffix);
  const queue = quiet(new Queue(name, { connection: redis }));
  const shards = quiet(new Queue(shardQueueName(suffix), { connection: redis }));
  return {
    name,
    suffix,
    queue,
    shards,
    redis,
    ask: asking(address),
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled([queue.close(), shards.close()]);
    },
  };
}

export interface Plans extends Pick<OpenQueue, "redis" | "ask"> {
  /** Holds the schedules, and a job for each time that one is due. */
  readonly plans: Queue;
}

export type OpenPlans = Plans & AsyncDisposable;

/** The schedules as seen from outside. @throws {SlidelightError} `queue-unavailable`. */
export async function openPlans(address: string): Promise<OpenPlans> {
  const redis = await connect(address);
  const plans = quiet(new Queue(planQueueName, { connection: redis }));
  return {
    plans,
    redis,
    ask: asking(address),
    [Symbol.asyncDispose]: async () => {
      await plans.close().catch(() => undefined);
      redis.disconnect();
    },
  };
}

/** What goes wrong is told by whoever asked. */
function quiet(queue: Queue): Queue {
  queue.on("error", () => undefined);
  return queue;
}

import type { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Pressure } from "./pressure.ts";
import { workOf } from "./work-of.ts";

/** Which jobs are taken, decided from moment to moment. */
export interface JobTaking extends Disposable {
  /** Whether a new image must wait, because shards do: no images are taken then until there are none. */
  shardsComeFirst(): Promise<boolean>;
  /** Whether the scratch disk has room for a job; none is taken until it has. */
  hasRoom(): Promise<boolean>;
}

const pollMs = 500;

export interface JobTakingOptions {
  readonly images: Worker;
  readonly shards: Worker;
  readonly imageQueue: Queue;
  readonly shardQueue: Queue;
  readonly redis: Redis;
  readonly pressure: Pressure;
  readonly log: Logger;
}

/**
 * No jobs are taken while the scratch disk is nearly full, and no new images while shards wait, so that slides finish. Two queues
 * have no order between them: a worker that is given a new image while shards wait hands it back, which costs no attempt. So
 * does one whose disk is nearly full: a pause does not stop the fetch that was waiting for a job when it began.
 */
export function openJobTaking({
  images,
  shards,
  imageQueue,
  shardQueue,
  redis,
  pressure,
  log,
}: JobTakingOptions): JobTaking {
  let busy = false;
  const shardsWait = async (): Promise<boolean> => {
    const { wait = 0, prioritized = 0 } = await shardQueue.getJobCounts("wait", "prioritized");
    return wait + prioritized > 0;
  };
  /** An image whose shards are done is at the head of its queue, for its next sweep or to be assembled: it is not new. */
  const begunWaits = async (): Promise<boolean> => {
    const id = await redis.lindex(imageQueue.toKey("wait"), -1);
    const job = id === null ? undefined : await imageQueue.getJob(id);
    return job !== undefined && workOf(job) !== undefined;
  };
  const turn = async (worker: Worker, on: boolean): Promise<void> => {
    if (on === !worker.isPaused()) return;
    // Jobs that it holds go on.
    if (on) await worker.resume();
    else await worker.pause(true);
  };
  const decide = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const room = !pressure.high;
      await turn(shards, room);
      await turn(images, room && (!(await shardsWait()) || (await begunWaits())));
    } catch (error) {
      log.debug({ err: error }, "what waits is not known");
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void decide(), pollMs);
  return {
    shardsComeFirst: async () => {
      const first = await shardsWait();
      if (first) await turn(images, false);
      return first;
    },
    hasRoom: async () => {
      if (!(await pressure.isHigh())) return true;
      await turn(shards, false);
      await turn(images, false);
      return false;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

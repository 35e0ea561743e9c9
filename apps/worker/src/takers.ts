import { Worker } from "bullmq";
import type { Job } from "bullmq";
import { imageProcessor } from "./image-processor.ts";
import type { ImageQueues } from "./image-processor.ts";
import { shardProcessor } from "./shard-processor.ts";
import type { WorkerResources } from "./worker-resources.ts";

/**
 * Workers of a cluster are killed all the time, which is no fault of the image; one that takes its worker's memory must
 * not kill workers for ever.
 */
const maxLosses = 10;

/** What takes jobs of both queues, from when it is told. */
export interface Takers {
  readonly images: Worker;
  readonly shards: Worker;
  /** Takes jobs, until it is stopped. */
  run(): void;
  /** @param handBack Called when no more jobs are fetched: one that is handed back must not come straight back. */
  stop(handBack: () => void): Promise<void>;
}

export interface TakersOptions {
  /** A job whose worker has been silent for so long is given to another. */
  readonly lockMs: number;
  /** Images at a time. */
  readonly concurrency: number;
}

export function openTakers(
  resources: WorkerResources,
  queues: ImageQueues,
  { lockMs, concurrency }: TakersOptions,
): Takers {
  const { log, metrics } = resources;
  const options = {
    connection: queues.redis,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    maxStalledCount: maxLosses,
    autorun: false,
  };
  const explainOne = imageProcessor(resources, queues);
  const computeOne = shardProcessor(resources, queues.images);
  // BullMQ counts a processor's parameters.
  const takers = {
    images: new Worker(
      queues.images.name,
      (job: Job, token?: string, signal?: AbortSignal) => explainOne(job, token, signal),
      { ...options, concurrency },
    ),
    shards: new Worker(
      queues.shards.name,
      (job: Job, token?: string, signal?: AbortSignal) => computeOne(job, token, signal),
      options,
    ),
  };
  for (const kind of ["images", "shards"] as const) {
    const taker = takers[kind];
    taker.on("error", (error) => log.error({ queue: taker.name, err: error }, "queue trouble"));
    taker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) taker.cancelJob(id, "its lock was lost");
    });
    taker.on("stalled", (jobId) => {
      metrics.stalled(kind);
      log.warn({ queue: taker.name, jobId }, "job of a lost worker is taken up again");
    });
  }
  let running: readonly Promise<void>[] = [];
  return {
    ...takers,
    run: () => {
      running = [takers.shards.run(), takers.images.run()];
    },
    stop: async (handBack) => {
      const closed = [takers.images.close(), takers.shards.close()];
      handBack();
      await Promise.all([...closed, ...running]);
    },
  };
}

import { shardQueueName, imageQueueName } from "@slidelight/contract";
import type { JobState } from "./jobs.ts";
import { openLine } from "./line.ts";

/** The names under which the product has the two queues. */
export const queueNames = { images: imageQueueName(undefined), shards: shardQueueName(undefined) } as const;

/** What waits for a worker: an image nobody has taken up yet is its index alone, so that millions may wait. */
export interface JobLines {
  readonly images: number;
  readonly shards: number;
  arrive(slide: number): void;
  add(job: JobState): void;
  /** What was handed back or lost, and an image whose shards are done, comes before all others of its queue. */
  addFront(job: JobState): void;
  /** Shards come before images: what was begun is finished before more is begun. */
  take(): JobState | number | undefined;
}

export function openJobLines(): JobLines {
  const images = openLine<JobState | number>();
  const shards = openLine<JobState>();
  return {
    get images() {
      return images.size;
    },
    get shards() {
      return shards.size;
    },
    arrive: (slide) => images.join(slide),
    add: (job) => (job.kind === "shard" ? shards : images).join(job),
    addFront: (job) => (job.kind === "shard" ? shards : images).joinFront(job),
    take: () => shards.take() ?? images.take(),
  };
}

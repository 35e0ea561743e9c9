import { keptJobs } from "@slidelight/contract";

/**
 * Bytes of one job in Redis, as `npm run bench -- queue` measured them (Redis 7.0.15, jemalloc, BullMQ 6.7.0; keys of 50
 * characters): with what lists and sets hold of it.
 */
export const jobBytes = {
  /** Waiting, running, delayed or waiting for its shards. */
  image: 1337,
  completedImage: 2157,
  failedImage: 3378,
  /** Waiting or running. */
  shard: 1984,
  /** Its answer, which its image keeps as long as the image's job is kept. */
  doneShard: 146,
} as const;

/** What Redis holds, now and at most. */
export interface RedisMemory {
  imageAdded(count: number): void;
  imageEnded(outcome: "done" | "failed", shards: number): void;
  shardAdded(count: number): void;
  /** Its answer stays when it is done; nothing does of one that was not needed any more. */
  shardEnded(isKept: boolean): void;
  readonly bytes: number;
  readonly peakBytes: number;
}

/** Finished jobs are kept as the product keeps them, up to a number; the age at which they go is never reached in a night. */
export function openRedisMemory(): RedisMemory {
  let bytes = 0;
  let peakBytes = 0;
  const kept = {
    done: keptWeights(keptJobs.done.count),
    failed: keptWeights(keptJobs.failed.count),
  };
  const change = (by: number): void => {
    bytes += by;
    peakBytes = Math.max(peakBytes, bytes);
  };
  return {
    imageAdded: (count) => change(count * jobBytes.image),
    imageEnded: (outcome, shards) => {
      const own = outcome === "done" ? jobBytes.completedImage : jobBytes.failedImage;
      // The answers of its shards are counted already.
      change(own - jobBytes.image - kept[outcome].replaceOldest(own + shards * jobBytes.doneShard));
    },
    shardAdded: (count) => change(count * jobBytes.shard),
    shardEnded: (isKept) => change((isKept ? jobBytes.doneShard : 0) - jobBytes.shard),
    get bytes() {
      return bytes;
    },
    get peakBytes() {
      return peakBytes;
    },
  };
}

/** The weights of the last `count` jobs; gives that of the one which has to go, 0 while there is room. */
function keptWeights(count: number): { replaceOldest(weight: number): number } {
  const weights: number[] = [];
  let oldest = 0;
  return {
    replaceOldest: (weight) => {
      if (weights.length < count) {
        weights.push(weight);
        return 0;
      }
      const gone = weights[oldest] ?? 0;
      weights[oldest] = weight;
      oldest = (oldest + 1) % count;
      return gone;
    },
  };
}

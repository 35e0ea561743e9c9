import type { ImageJobState } from "./jobs.ts";
import { openRedisMemory } from "./redis-memory.ts";
import type { RedisMemory } from "./redis-memory.ts";
import { openStoreRequests } from "./store-requests.ts";
import type { StoreRequests } from "./store-requests.ts";

/** How often each whole number was met. */
export type Histogram = Map<number, number>;

/** What is counted while a night goes on. */
export interface Tally {
  readonly redis: RedisMemory;
  readonly store: StoreRequests;
  /** Seconds of done slides, from being enqueued and from being taken up. */
  readonly sinceEnqueued: number[];
  readonly sinceStarted: number[];
  readonly shardsOfSlide: Histogram;
  readonly imageAttempts: Histogram;
  readonly shardAttempts: Histogram;
  readonly failures: Map<string, number>;
  done: number;
  failed: number;
  shardsAdded: number;
  shardsDone: number;
  shardsFailed: number;
  /** Shards of an image that failed meanwhile. */
  shardsDropped: number;
  /** Pixels of tiles, sweep by sweep, and those of them that were computed for nothing. */
  pixels: number;
  lostPixels: number;
  /** Seconds of workers: with a job; computing tiles; there at all. */
  busy: number;
  computing: number;
  alive: number;
  preempted: number;
  killed: number;
  handedBack: number;
  stalled: number;
  retries: number;
  outputBytes: number;
  /** When the last slide ended. */
  lastEnd: number;
}

export function openTally(): Tally {
  return {
    redis: openRedisMemory(),
    store: openStoreRequests(),
    sinceEnqueued: [],
    sinceStarted: [],
    shardsOfSlide: new Map(),
    imageAttempts: new Map(),
    shardAttempts: new Map(),
    failures: new Map(),
    done: 0,
    failed: 0,
    shardsAdded: 0,
    shardsDone: 0,
    shardsFailed: 0,
    shardsDropped: 0,
    pixels: 0,
    lostPixels: 0,
    busy: 0,
    computing: 0,
    alive: 0,
    preempted: 0,
    killed: 0,
    handedBack: 0,
    stalled: 0,
    retries: 0,
    outputBytes: 0,
    lastEnd: 0,
  };
}

export function count<K>(histogram: Map<K, number>, key: K): void {
  histogram.set(key, (histogram.get(key) ?? 0) + 1);
}

/** A slide has ended. */
export function tallySlide(tally: Tally, image: ImageJobState, now: number): void {
  if (image.outcome === "done") {
    tally.done += 1;
    tally.sinceEnqueued.push(now - image.enqueuedAt);
    tally.sinceStarted.push(now - image.startedAt);
    count(tally.shardsOfSlide, image.shards);
    count(tally.imageAttempts, image.failures + 1);
  } else {
    tally.failed += 1;
    count(tally.imageAttempts, Math.max(1, image.failures));
  }
}

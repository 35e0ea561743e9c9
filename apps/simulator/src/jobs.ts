import type { Interval } from "@slidelight/core";
import type { DividedSweep } from "./shard-plan.ts";
import type { Slide } from "./slides.ts";
import type { SlideTiles } from "./tiles.ts";

/** What a queue counts of a job. */
interface Tries {
  /** Attempts that failed. */
  failures: number;
  /** Workers that were lost with it. */
  losses: number;
  /** Tiles of its work that a checkpoint holds. */
  doneTiles: number;
}

export interface ImageJobState extends Tries {
  readonly kind: "image";
  readonly slide: Slide;
  readonly enqueuedAt: number;
  readonly startedAt: number;
  readonly tiles: SlideTiles;
  /** Its sweeps in shards, or that one worker does it alone; said once, when it is planned first. */
  plan: readonly DividedSweep[] | "alone" | undefined;
  /** The sweep whose shards come next. */
  sweep: number;
  /** Shards of all rounds, and those that have not ended. */
  shards: number;
  openShards: number;
  /** Of tiles that need not be computed again. */
  keptPixels: number;
  /** What its shards wrote. */
  shardBytes: number;
  outcome: "done" | "failed" | undefined;
}

export interface ShardJobState extends Tries {
  readonly kind: "shard";
  readonly image: ImageJobState;
  readonly sweep: number;
  readonly interval: Interval;
}

export type JobState = ImageJobState | ShardJobState;

/** An image when it is taken up for the first time. */
export function imageJobState(
  image: Pick<ImageJobState, "slide" | "enqueuedAt" | "startedAt" | "tiles">,
): ImageJobState {
  return {
    kind: "image",
    ...image,
    failures: 0,
    losses: 0,
    doneTiles: 0,
    plan: undefined,
    sweep: 0,
    shards: 0,
    openShards: 0,
    shardBytes: 0,
    keptPixels: 0,
    outcome: undefined,
  };
}

export function shardJobState(image: ImageJobState, sweep: number, interval: Interval): ShardJobState {
  return { kind: "shard", image, sweep, interval, failures: 0, losses: 0, doneTiles: 0 };
}

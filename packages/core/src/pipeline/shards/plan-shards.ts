import type { Interval } from "../../geometry/interval.ts";

/** A sweep as seen by who divides it. */
export interface SweepCost {
  /** Of each tile's core, in the order in which the sweep visits them. */
  readonly tilePixels: readonly number[];
  /** Bytes that a shard keeps for each pixel. */
  readonly bytesPerPixel: number;
  /** Of one worker; megapixels a second vary a hundredfold between a laptop and an accelerator. */
  readonly pixelsPerSecond: number;
}

export interface ShardLimits {
  /** What one shard should take. */
  readonly seconds: number;
  /** A shard's file is made on a local disk and fetched whole. */
  readonly bytes: number;
  /** A queue holds a slide's shards at once, as one job each; more than this many are never made. */
  readonly count: number;
}

/**
 * Between one and five minutes: a lost worker costs little, and what a shard costs besides its tiles (a job, a plan, a
 * file) is below a hundredth.
 */
export const shardLimits: ShardLimits = { seconds: 120, bytes: 2 ** 33, count: 1000 };

/** On one machine a shard costs a file, no job: what a crash can lose is half a minute. */
export const checkpointLimits: ShardLimits = { seconds: 30, bytes: 2 ** 31, count: 1000 };

/** Parts of a shared image that took less than this share of a shard are not worth a store's requests, nor a round of jobs. */
const keptShare = 1 / 4;

/** Seconds of one worker below which an image is not shared, in however many shards. */
export function leastSharedSeconds({ seconds }: ShardLimits): number {
  return seconds * keptShare;
}

/** Whether there is something for several workers in an image's sweeps. */
export function isDivided(sweeps: readonly { readonly shards: readonly Interval[] }[]): boolean {
  return sweeps.some(({ shards }) => shards.length > 1);
}

/** Seconds of one worker that a sweep takes. */
export function secondsOf({ tilePixels, pixelsPerSecond }: SweepCost): number {
  return tilePixels.reduce((sum, pixels) => sum + pixels, 0) / pixelsPerSecond;
}

/**
 * Divides a sweep into shards: runs of its tiles, alike in pixels, none empty, together all tiles. As many as the limits of time
 * and bytes ask for, never more than `count` (each then takes longer than asked) and never more than there are tiles.
 */
export function planShards(cost: SweepCost, limits: ShardLimits): readonly Interval[] {
  const { tilePixels, bytesPerPixel } = cost;
  const pixels = tilePixels.reduce((sum, tile) => sum + tile, 0);
  const wanted = Math.max(secondsOf(cost) / limits.seconds, (pixels * bytesPerPixel) / limits.bytes);
  const count = Math.max(1, Math.min(Math.ceil(wanted), limits.count, tilePixels.length));
  const shards: Interval[] = [];
  let start = 0;
  let done = 0;
  for (let index = 1; index <= count; index += 1) {
    const goal = (pixels * index) / count;
    let end = start;
    // Leaves a tile for each shard that follows.
    const last = tilePixels.length - (count - index);
    while (end < last && (end === start || done + (tilePixels[end] ?? 0) / 2 <= goal)) {
      done += tilePixels[end] ?? 0;
      end += 1;
    }
    if (index === count) end = tilePixels.length;
    shards.push({ start, end });
    start = end;
  }
  return shards;
}

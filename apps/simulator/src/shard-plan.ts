import { isDivided, leastSharedSeconds, planShards, secondsOf } from "@slidelight/core";
import type { Interval, ShardLimits, SweepCost } from "@slidelight/core";

/** Bytes of the map that a shard of the last sweep keeps for each pixel: uint16. Other sweeps keep statistics alone. */
export const mapBytesPerPixel = 2;

/** The shards of one sweep. */
export interface DividedSweep {
  readonly shards: readonly Interval[];
}

interface SlideCost {
  /** Of each kept tile's core; every sweep visits the same tiles. */
  readonly tilePixels: readonly number[];
  /** Of whoever looks at the slide first: the plan is everybody's. */
  readonly pixelsPerSecond: number;
  readonly sweeps: number;
}

/** A slide's sweeps in shards, by the product's own rule; `undefined` when the worker that has it does it alone. */
export function divideSlide(
  { tilePixels, pixelsPerSecond, sweeps }: SlideCost,
  limits: ShardLimits,
): readonly DividedSweep[] | undefined {
  const costs = Array.from({ length: sweeps }, (_, sweep): SweepCost => {
    const bytesPerPixel = sweep === sweeps - 1 ? mapBytesPerPixel : 0;
    return { tilePixels, bytesPerPixel, pixelsPerSecond };
  });
  const seconds = costs.reduce((sum, cost) => sum + secondsOf(cost), 0);
  if (seconds < leastSharedSeconds(limits)) return undefined;
  const divided = costs.map((cost) => ({ shards: planShards(cost, limits) }));
  return isDivided(divided) ? divided : undefined;
}

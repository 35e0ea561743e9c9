import { planShards, secondsOf } from "@slidelight/core";
import type { ShardLimits, SweepCost } from "@slidelight/core";

/** Bytes of the map that a shard of the last sweep keeps for each pixel: uint16. Other sweeps keep statistics alone. */
export const mapBytesPerPixel = 2;

/**
 * Whether an image is worth a round of jobs: when one worker would take longer for its sweep than one shard should take,
 * and its tiles can be divided. One that is merely large in bytes is done by the worker that has it.
 */
export function worthSharding(cost: SweepCost, limits: ShardLimits): boolean {
  return secondsOf(cost) > limits.seconds && planShards(cost, limits).length > 1;
}

/** A sweep of a slide as the planning code sees it. */
export function sweepCost(
  tilePixels: readonly number[],
  sweep: { readonly last: boolean; readonly pixelsPerSecond: number },
): SweepCost {
  return {
    tilePixels,
    bytesPerPixel: sweep.last ? mapBytesPerPixel : 0,
    pixelsPerSecond: sweep.pixelsPerSecond,
  };
}

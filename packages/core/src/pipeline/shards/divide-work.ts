import { coreOf } from "../../geometry/tile-grid.ts";
import type { Precision } from "../../engine/engine.ts";
import type { ImageWork } from "../image-work.ts";
import type { TilePlan } from "../plan-runs.ts";
import { sampleBytes } from "../image-sweep.ts";
import { tileOrder } from "../tiles/tile-tasks.ts";
import { planShards } from "./plan-shards.ts";
import type { ShardLimits } from "./plan-shards.ts";
import type { WorkPlan } from "./work-plan.ts";

export interface DivideOptions {
  readonly precision: Precision;
  readonly limits: ShardLimits;
  /** Of tile cores, of one sweep. */
  readonly pixelsPerSecond: number;
}

/** Makes the plan of an image's computation. */
export function divideWork(
  work: ImageWork,
  { grid, tissue, runs, joint }: TilePlan,
  { precision, limits, pixelsPerSecond }: DivideOptions,
): WorkPlan {
  const sweeps = joint.sweeps.map(({ maps }, index) => {
    const tiles = tileOrder({ plan: joint, index, grid, tissue });
    const tilePixels = tiles.map((tile) => {
      const { width, height } = coreOf(grid, tile);
      return width * height;
    });
    const bytesPerPixel = maps.length * sampleBytes(work.settings);
    return { tiles, shards: planShards({ tilePixels, bytesPerPixel, pixelsPerSecond }, limits) };
  });
  return {
    runs: runs.map(({ id }) => id),
    precision,
    grid,
    tissue: { block: tissue.block, kept: tissue.kept },
    sweeps,
  };
}

import type { Explanation } from "../explain/explanation.ts";
import { sweepOutputs, sweepRegions, tileProgram } from "../explain/tile-program.ts";
import { regionOf } from "../geometry/rectangle.ts";
import { balancedTileGrid, coreOf, tileGrid } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { peakActivationBytes } from "../graph/memory.ts";
import { prepareRestriction } from "../graph/restrict.ts";

/** Sides that are tried, largest first: above, the redundant work falls by less than a tenth; below, it explodes. */
const sides = [2048, 1536, 1024, 768, 512, 384, 256, 128] as const;

/**
 * An engine's own layouts and work space, as a multiple of the values that are alive: 2.2 to 2.7 was measured for
 * forward passes of U-Nets in ONNX Runtime on a CPU, 1.6 to 1.7 for gradients.
 */
const engineOverhead = 2.7;

/** Bytes that one tile may take in the engine when nothing else is said. */
export const defaultMemoryBytes = 1.5 * 2 ** 30;

export interface ChooseTileOptions {
  /** Set by the user: the side of a core, rounded up to the stride. */
  readonly tile?: number;
  readonly memoryBytes?: number;
}

/** The tile grid: as the user says, else the largest tiles that the memory budget allows, equal in size. */
export function chooseTileGrid(explanation: Explanation, options: ChooseTileOptions): TileGrid {
  const { size, stride } = explanation.network;
  if (options.tile !== undefined) return tileGrid(size, { tile: options.tile, stride });
  const budget = options.memoryBytes ?? defaultMemoryBytes;
  const grids = sides.map((tile) => balancedTileGrid(size, { tile: Math.max(tile, stride), stride }));
  const fitting = grids.find((grid) => estimateTileBytes(explanation, grid) <= budget);
  return fitting ?? grids.at(-1) ?? tileGrid(size, { tile: stride, stride });
}

/** Bytes that a tile in the middle of the image takes in the engine, in the dearest sweep. */
export function estimateTileBytes(explanation: Explanation, grid: TileGrid): number {
  const middle = Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2);
  const core = regionOf(coreOf(grid, middle));
  const peaks = explanation.sweeps.map((sweep) => {
    const plan = prepareRestriction(sweepOutputs(sweep)).plan(sweepRegions(sweep, core));
    return peakActivationBytes(tileProgram(sweep, plan.build(), "uint16"));
  });
  return engineOverhead * Math.max(...peaks);
}

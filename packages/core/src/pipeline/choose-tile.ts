import { totalmem } from "node:os";
import type { Engine } from "../engine/engine.ts";
import type { SweepPlan } from "../explain/explanation.ts";
import { sweepOutputs, sweepRegions, tileProgram } from "../explain/tile-program.ts";
import { regionOf } from "../geometry/rectangle.ts";
import { balancedTileGrid, coreOf, tileGrid } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { peakActivationBytes } from "../graph/memory.ts";
import { prepareRestriction } from "../graph/restrict.ts";

/** Sides that are tried, largest first: above, the redundant work falls by less than a tenth; below, it explodes. */
const sides = [2048, 1536, 1024, 768, 512, 384, 256, 128] as const;

/**
 * Bytes that one tile may take in the engine when nothing else is said: an eighth of what the process may use, as the
 * machine or its container says. Less makes the halos of gradients dear, more is hardly faster.
 */
export function defaultMemoryBytes(): number {
  const limit = process.constrainedMemory();
  const available = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.min(mostBytes, Math.max(leastBytes, available / 8));
}

const leastBytes = 1.5 * 2 ** 30;
const mostBytes = 4 * 2 ** 30;

/** Of an accelerator's memory: programs of other tile shapes keep some too. */
const deviceShare = 0.4;

export interface ChooseTileOptions {
  /** Set by the user: the side of a core, rounded up to the stride. */
  readonly tile?: number;
  readonly memoryBytes?: number;
  /** Its overhead and memory count. */
  readonly engine: Pick<Engine, "overhead" | "memoryBytes" | "keepsOrder">;
}

/** The tile grid: as the user says, else the largest tiles that the memory budget allows, equal in size. */
export function chooseTileGrid(explanation: SweepPlan, options: ChooseTileOptions): TileGrid {
  const { size, stride } = explanation.network;
  if (options.tile !== undefined) return tileGrid(size, { tile: options.tile, stride });
  const budget = valueBytes(options);
  const grids = sides.map((tile) => balancedTileGrid(size, { tile: Math.max(tile, stride), stride }));
  const fitting = grids.find((grid) => estimateTileBytes(explanation, grid) <= budget);
  return fitting ?? grids.at(-1) ?? tileGrid(size, { tile: stride, stride });
}

/** What a tile's program is fitted into by computing values again; `undefined` where the engine would undo it. */
export function recomputeAbove(options: Omit<ChooseTileOptions, "tile">): number | undefined {
  return options.engine.keepsOrder ? valueBytes(options) : undefined;
}

/** Bytes of values that may be alive at once in the engine, beside what it needs for itself. */
function valueBytes({ engine, memoryBytes }: Omit<ChooseTileOptions, "tile">): number {
  const device = engine.memoryBytes === undefined ? defaultMemoryBytes() : engine.memoryBytes * deviceShare;
  return (memoryBytes ?? device) / engine.overhead;
}

/** Bytes of the values that a tile in the middle of the image needs at once, in the dearest sweep. */
export function estimateTileBytes(explanation: SweepPlan, grid: TileGrid): number {
  const middle = Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2);
  const core = regionOf(coreOf(grid, middle));
  const peaks = explanation.sweeps.map((sweep) => {
    const plan = prepareRestriction(sweepOutputs(sweep)).plan(sweepRegions(sweep, core));
    return peakActivationBytes(tileProgram(sweep, plan.build(), "uint16"));
  });
  return Math.max(...peaks);
}

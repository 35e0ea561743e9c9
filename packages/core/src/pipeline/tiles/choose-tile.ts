import { hostWarmLimits } from "../../engine/memory.ts";
import type { SweepPlan } from "../../explain/explanation.ts";
import { sweepOutputs } from "../../explain/tile-program.ts";
import type { Size } from "../../geometry/rectangle.ts";
import {
  alikeTileGrid,
  balancedTileGrid,
  extendedTileGrid,
  gridOfCores,
  tileCount,
  tileGrid,
} from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { roundUp } from "../../geometry/round-up.ts";
import { graphOf } from "../../graph/graph.ts";
import { costOf, onCpu } from "./tile-cost.ts";
import { haloOf, largestOf, largestTile, middleTileBytes, tileGrowth } from "./tile-growth.ts";
import { valueBytes } from "./tile-memory.ts";
import type { TileMemory } from "./tile-memory.ts";
import { tissueMask } from "./tissue.ts";
import type { KeptBlocks } from "./tissue.ts";

export interface ChooseTileOptions extends TileMemory {
  /** Set by the user: the side of a core, rounded up to the stride. */
  readonly tile?: number;
  /** What is kept of the image, where something is left out: tiles that meet none of it are not computed. */
  readonly kept?: KeptBlocks | undefined;
}

/** Of a tile on an accelerator: kernels count the elements of a value in 32 bits; larger cores were not measured, nor would they gain. */
const acceleratorMost = { elements: 2 ** 31 - 1, pixels: 4096 ** 2 } as const;
/** Sides of cores that are tried, besides the image's own. */
const sides = [4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128] as const;
/** Sides of cores that blocks of tissue are divided into, or put together to. */
const blockSides = [4096, 2048, 1024, 512, 256, 128] as const;
/** Sides of tiles that are alike: few, so that images share them, each half of the one before, so that none overlaps its neighbour by more than half. */
const alikeSides = [4096, 2048, 1024, 512, 256] as const;

/**
 * The tile grid that should be fastest of those that fit into memory: large tiles compute little twice; few *kinds* of
 * tiles (a border tile's program differs from that of the tiles between) need little fresh memory, so that an image that
 * is not too wide is computed in bands of its width. Where programs take long to open, tiles are alike for all images; where one serves all sizes, those at an
 * image's end compute what it is extended by. `--tile` wins.
 */
export function chooseTileGrid(explanation: SweepPlan, options: ChooseTileOptions): TileGrid {
  const [best] = rankTileGrids(explanation, options, 1);
  if (best === undefined) throw new RangeError("One grid is always there.");
  return best;
}

/** Tiles whose areas differ by less hardly differ in speed. */
const similar = 1.25;

/** Up to `count` of the best grids, the best first, of tiles that differ in size; at least one, even where none fits. */
export function rankTileGrids(explanation: SweepPlan, given: ChooseTileOptions, count: number): readonly TileGrid[] {
  const { size, stride } = explanation.network;
  const { engine } = given;
  const alikeOf = engine.alikeTiles ? alikeGrids(explanation) : undefined;
  const isResized = explanation.sweeps.every((sweep) => engine.resizes(graphOf(sweepOutputs(sweep))));
  const overhead = (isResized ? engine.resizedOverhead : undefined) ?? engine.overhead;
  const options = { ...given, engine: { ...engine, overhead } };
  const suited = (grid: TileGrid): TileGrid => (isResized ? extendedTileGrid(grid, { stride }) : grid);
  const gridOf = alikeOf ?? ((tile: number): TileGrid => suited(tileGrid(size, { tile, stride })));
  if (options.tile !== undefined) return [gridOf(options.tile)];
  const growth = tileGrowth(explanation);
  const budget = valueBytes(options);
  const fits = (grid: TileGrid): boolean => {
    if (largestOf(growth.bytes, grid) > budget) return false;
    const { elements, pixels } = acceleratorMost;
    const { width, height } = largestTile(grid);
    return onCpu(options) || (width * height <= pixels && largestOf(growth.elements, grid) <= elements);
  };
  const warmBytes = hostWarmLimits(options).mostBytes;
  const sweeps = explanation.sweeps.length;
  const { kept } = options;
  const gridsOf = kept === undefined ? balancedGrids : blockGrids;
  const ranked = (alikeOf === undefined ? gridsOf(size, stride).map(suited) : alikeSides.map(alikeOf))
    .filter(fits)
    .map((grid) => {
      const keptShare = kept === undefined ? 1 : tissueMask(grid, kept).tiles.length / tileCount(grid);
      return { grid, cost: costOf(grid, growth, { ...options, warmBytes, sweeps, keptShare }) };
    })
    .sort((a, b) => a.cost - b.cost);
  const best: TileGrid[] = [];
  for (const { grid } of ranked) {
    if (best.length === count) break;
    if (best.some((other) => areSimilar(other.core, grid.core))) continue;
    // Growth is an estimate, but of the whole image, which it was found from; what is used is counted.
    if (tileCount(grid) === 1 || middleTileBytes(explanation, grid) <= budget) best.push(grid);
  }
  return best.length > 0 ? best : [gridOf(Math.max(stride, sides.at(-1) ?? stride))];
}

/** Makes grids of square tiles that are alike whatever the image's size, so that few shapes serve all images. */
function alikeGrids(explanation: SweepPlan): (tile: number) => TileGrid {
  const { size, stride } = explanation.network;
  // A tile that sees no further than the image itself, without what it is extended by, is masked nowhere.
  const halo = haloOf(explanation) + stride;
  return (tile) => alikeTileGrid(size, { tile, stride, halo });
}

function areSimilar(a: Size, b: Size): boolean {
  const ratio = (a.width * a.height) / (b.width * b.height);
  return Math.max(ratio, 1 / ratio) < similar;
}

function balancedGrids(size: Size, stride: number): readonly TileGrid[] {
  const most = (extent: number): readonly number[] => [extent, ...sides.filter((side) => side < extent)];
  const grids = most(size.width).flatMap((width) =>
    most(size.height).map((height) => balancedTileGrid(size, { core: { width, height }, stride })),
  );
  return [...new Map(grids.map((grid) => [`${grid.columns}x${grid.rows}`, grid] as const)).values()];
}

/** Tiles whose borders are borders of blocks, as far as the stride allows: those that cross them compute what is left out beside what is kept. */
function blockGrids(size: Size, stride: number): readonly TileGrid[] {
  return blockSides.flatMap((width) =>
    blockSides.map((height) => gridOfCores(size, { width: roundUp(width, stride), height: roundUp(height, stride) })),
  );
}

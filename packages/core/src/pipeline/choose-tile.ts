import { deviceWarmLimits, hostWarmLimits, narrowness } from "../engine/memory.ts";
import type { SweepPlan } from "../explain/explanation.ts";
import type { Size } from "../geometry/rectangle.ts";
import { alikeTileGrid, balancedTileGrid, tileCount, tileGrid } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { haloOf, largestOf, largestTile, middleTileBytes, tileGrowth, totalOf } from "./tile-growth.ts";
import type { TileGrowth } from "./tile-growth.ts";
import { valueBytes } from "./tile-memory.ts";
import type { TileMemory } from "./tile-memory.ts";

export interface ChooseTileOptions extends TileMemory {
  /** Set by the user: the side of a core, rounded up to the stride. */
  readonly tile?: number;
  /** Whether tiles may be left out: then they must not be much wider than high, or few could be. Default: false. */
  readonly compact?: boolean;
}

/** Of a tile on an accelerator: kernels count the elements of a value in 32 bits; larger cores were not measured, nor would they gain. */
const acceleratorMost = { elements: 2 ** 31 - 1, pixels: 4096 ** 2 } as const;
/** Sides of cores that are tried, besides the image's own. */
const sides = [4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128] as const;
/** Sides of tiles that are alike: few, so that images share them, each half of the one before, so that none overlaps its neighbour by more than half. */
const alikeSides = [4096, 2048, 1024, 512, 256] as const;
/** Of a compact core, the longer side over the shorter one. */
const compactShape = 2;

/**
 * What else costs time, as the FLOP that a CPU of 190 GFLOP/s does meanwhile. Measured with OpenVINO on a virtual
 * machine of two cores: 0.35 s for each GB of memory that is touched for the first time, 0.1 s for each program beside
 * the work (it is compiled while another runs), 5 ms for each tile outside the engine.
 */
const costs = { freshByte: 67, program: 2e10, tile: 1e9 } as const;
/**
 * The same for each pixel of the first tile, which is read and decoded (25 ns) while the engine waits: on an accelerator for half of the time, since of
 * a list another image computes meanwhile. Later tiles' pixels take as long from an engine on the same cores, which has less to do then: 5 ns are lost.
 */
const firstPixelCost = { cpu: 1000, accelerator: 2500 } as const;
/** Of what comes with a program, what one image bears of many: where all programs of an image stay, the next one of its size finds them. */
const shareOfWarm = 0.25;
/** What each doubling of a program's memory above this slows a CPU down by, with OpenVINO: 1 % from 0.5 to 6 GB, as its caches hold less of it. */
const slowdown = { aboveBytes: 5e8, perDoubling: 0.01 } as const;
/** How many times as fast an accelerator computes: the costs around it weigh as much more. Its own memory costs nothing to touch. */
const acceleratorSpeed = 50;
/**
 * What else costs time with it, measured with ONNX Runtime on an H200: a program that is opened (compiled, and the quickest convolutions
 * searched for), which one image bears of a hundred where images of all sizes share it and all programs stay open; 1.5 ms a tile to hand it over; in float32, as much again for each
 * pixel of tiles wider or higher than 4096 px (1.5 to 2 times, by their other side).
 */
const acceleratorCosts = {
  opened: { float32: 1.9e11, bfloat16: 3.8e11, float16: 3.8e11 },
  shareOfShared: 0.01,
  tile: 3e8,
  large: { above: 4096, factor: 2 },
} as const;

/**
 * The tile grid that should be fastest of those that fit into memory: large tiles compute little twice; few *kinds* of
 * tiles (a border tile's program differs from that of the tiles between) need little fresh memory, so that an image that
 * is not too wide is computed in bands of its width. Where programs take long to open, tiles are alike for all images. `--tile` wins.
 */
export function chooseTileGrid(explanation: SweepPlan, options: ChooseTileOptions): TileGrid {
  const [best] = rankTileGrids(explanation, options, 1);
  if (best === undefined) throw new RangeError("One grid is always there.");
  return best;
}

/** Tiles whose areas differ by less hardly differ in speed. */
const similar = 1.25;

/** Up to `count` of the best grids, the best first, of tiles that differ in size; at least one, even where none fits. */
export function rankTileGrids(explanation: SweepPlan, options: ChooseTileOptions, count: number): readonly TileGrid[] {
  const { size, stride } = explanation.network;
  const alikeOf = options.engine.alikeTiles ? alikeGrids(explanation) : undefined;
  const gridOf = alikeOf ?? ((tile: number): TileGrid => tileGrid(size, { tile, stride }));
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
  const compact = options.compact ?? false;
  const ranked = (alikeOf === undefined ? candidates(size, { stride, compact }) : alikeSides.map(alikeOf))
    .filter(fits)
    .map((grid) => ({ grid, cost: costOf(grid, growth, { ...options, warmBytes, sweeps }) }))
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

function candidates(
  size: Size,
  { stride, compact }: { readonly stride: number; readonly compact: boolean },
): readonly TileGrid[] {
  const most = (extent: number): readonly number[] => [extent, ...sides.filter((side) => side < extent)];
  const grids = most(size.width).flatMap((width) =>
    most(size.height).map((height) => balancedTileGrid(size, { core: { width, height }, stride })),
  );
  const shapely = ({ core: { width, height } }: TileGrid): boolean =>
    Math.max(width, height) <= compactShape * Math.min(width, height);
  const kept = compact ? grids.filter(shapely) : grids;
  return [...new Map(kept.map((grid) => [`${grid.columns}x${grid.rows}`, grid] as const)).values()];
}

function onCpu({ engine }: Pick<TileMemory, "engine">): boolean {
  return engine.memoryBytes === undefined;
}

/** FLOP a second of the CPU that the costs were measured on. */
const cpuFlops = 1.9e11;

/** How many times as fast as that CPU in float32 an engine may be. */
function speedOf({ engine, precision }: TileMemory): number {
  return (onCpu({ engine }) ? 1 : acceleratorSpeed) * (precision === "float32" ? 1 : 2);
}

/** Pixels of tile cores a second, of one sweep, before anything was measured; within a small factor. */
export function estimatedSpeed(explanation: SweepPlan, options: TileMemory & { readonly grid: TileGrid }): number {
  const { image } = options.grid;
  const flops = totalOf(tileGrowth(explanation).flops, options.grid) / explanation.sweeps.length;
  return (image.width * image.height * cpuFlops * speedOf(options)) / flops;
}

interface CostOptions extends TileMemory {
  /** What all programs together may keep of the computer's memory. */
  readonly warmBytes: number;
  readonly sweeps: number;
}

/** Of all sweeps of the image, in FLOP. */
function costOf(grid: TileGrid, growth: TileGrowth, options: CostOptions): number {
  const { engine, precision } = options;
  const { columns, rows, window } = grid;
  const working = largestOf(growth.bytes, grid) * engine.overhead * narrowness[precision];
  const kinds = Math.min(3, columns) * Math.min(3, rows);
  const largest = largestTile(grid);
  // An axis that is not divided makes programs for images of just this extent.
  const shared = window !== undefined && columns > 1 && rows > 1;
  const { slow, program, tile, firstPixel } = (onCpu(options) ? hostCosts : deviceCosts)(options, {
    largest,
    working,
    kinds,
    shared,
  });
  const beside = kinds * program + tileCount(grid) * tile + largest.width * largest.height * firstPixel;
  return totalOf(growth.flops, grid) * slow + beside * speedOf(options);
}

interface Costs {
  /** Factor on all arithmetic. */
  readonly slow: number;
  /** Of each program, tile, and pixel of the first tile. */
  readonly program: number;
  readonly tile: number;
  readonly firstPixel: number;
}

interface Programs {
  /** What the largest tile computes, without its halos. */
  readonly largest: Size;
  /** Bytes that the largest takes. */
  readonly working: number;
  /** How many there are, of one sweep. */
  readonly kinds: number;
  /** Whether images of other sizes use the same ones. */
  readonly shared: boolean;
}

function hostCosts({ warmBytes }: CostOptions, { working, kinds }: Programs): Costs {
  const stay = kinds * working <= warmBytes;
  return {
    slow: 1 + slowdown.perDoubling * Math.log2(Math.max(1, working / slowdown.aboveBytes)),
    program: working * costs.freshByte * (stay ? shareOfWarm : 1) + costs.program,
    tile: costs.tile,
    firstPixel: firstPixelCost.cpu,
  };
}

function deviceCosts(
  { engine: { memoryBytes = 0 }, precision, sweeps }: CostOptions,
  { largest, working, kinds, shared }: Programs,
): Costs {
  const { opened, shareOfShared, tile, large } = acceleratorCosts;
  const stay = sweeps * kinds * working <= deviceWarmLimits(memoryBytes).mostBytes;
  return {
    slow: precision === "float32" && Math.max(largest.width, largest.height) > large.above ? large.factor : 1,
    program: sweeps * opened[precision] * (stay && shared ? shareOfShared : 1),
    tile,
    firstPixel: firstPixelCost.accelerator,
  };
}

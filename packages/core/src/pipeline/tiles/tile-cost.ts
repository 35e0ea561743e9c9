import { deviceWarmLimits, narrowness } from "../../engine/memory.ts";
import type { SweepPlan } from "../../explain/explanation.ts";
import type { Size } from "../../geometry/rectangle.ts";
import { tileCount } from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { largestOf, largestTile, tileGrowth, totalOf } from "./tile-growth.ts";
import type { TileGrowth } from "./tile-growth.ts";
import type { TileMemory } from "./tile-memory.ts";

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

/** Whether programs live in the computer's own memory. */
export function onCpu({ engine }: Pick<TileMemory, "engine">): boolean {
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

export interface CostOptions extends TileMemory {
  /** What all programs together may keep of the computer's memory. */
  readonly warmBytes: number;
  readonly sweeps: number;
  /** Share of the tiles that is computed. */
  readonly keptShare: number;
}

/** What all sweeps of an image cost in these tiles, as the FLOP that take as long: to compare grids with. */
export function costOf(grid: TileGrid, growth: TileGrowth, options: CostOptions): number {
  const { engine, precision, keptShare } = options;
  const { columns, rows, window } = grid;
  const working = largestOf(growth.bytes, grid) * engine.overhead * narrowness[precision];
  const kinds = Math.min(3, columns) * Math.min(3, rows);
  const largest = largestTile(grid);
  // An axis that is not divided makes programs for images of just this extent.
  const shared = window?.size !== undefined && columns > 1 && rows > 1;
  const { slow, program, tile, firstPixel } = (onCpu(options) ? hostCosts : deviceCosts)(options, {
    largest,
    working,
    kinds,
    shared,
  });
  const beside = kinds * program + tileCount(grid) * keptShare * tile + largest.width * largest.height * firstPixel;
  return totalOf(growth.flops, grid) * keptShare * slow + beside * speedOf(options);
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
  { engine, precision, sweeps, ...given }: CostOptions,
  { largest, working, kinds, shared }: Programs,
): Costs {
  const { opened, shareOfShared, tile, large } = acceleratorCosts;
  const stay = sweeps * kinds * working <= deviceWarmLimits(engine.memoryBytes ?? 0, given).mostBytes;
  return {
    slow: precision === "float32" && Math.max(largest.width, largest.height) > large.above ? large.factor : 1,
    program: sweeps * opened[precision] * (stay && shared ? shareOfShared : 1),
    tile,
    firstPixel: firstPixelCost.accelerator,
  };
}

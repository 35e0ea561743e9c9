import type { SweepPlan } from "../explain/explanation.ts";
import { sweepOutputs, sweepRegions, tileProgram } from "../explain/tile-program.ts";
import { regionOf } from "../geometry/rectangle.ts";
import type { Rectangle } from "../geometry/rectangle.ts";
import { coreOf, middleTile, tileGrid } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { flops } from "../graph/flops.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import { peakActivationBytes } from "../graph/memory.ts";
import { prepareRestriction } from "../graph/restrict.ts";
import { sizeOf } from "../graph/tensor.ts";

/**
 * How a quantity of a tile's program grows with its core. What a node computes for a core of w x h is proportional to
 * (w + l + r)(h + t + b) with its halos, which are 0 at the image's edge; the whole program's is taken to be
 * (density w + halo n)(density h + halo m), with n and m the number of sides (0 to 2) that are inside the image.
 */
export interface Growth {
  readonly density: number;
  readonly halo: number;
}

export interface TileGrowth {
  /** FLOP of all sweeps. */
  readonly flops: Growth;
  /** Bytes of values that are alive at once, in the dearest sweep; float32. */
  readonly bytes: Growth;
  /** Elements of the largest value, in whichever sweep. */
  readonly elements: Growth;
}

/** Small enough that most images have one with neighbours on all sides. */
const sampleSide = 512;

/** Finds the growth from two graphs: that of the whole image and that of a tile in its middle. */
export function tileGrowth(explanation: SweepPlan): TileGrowth {
  const { size, stride } = explanation.network;
  const third = Math.floor(Math.min(size.width, size.height) / 3);
  const grid = tileGrid(size, { tile: Math.max(stride, Math.min(sampleSide, third)), stride });
  const whole = measure(explanation, { x: 0, y: 0, ...size });
  const sample = coreOf(grid, middleTile(grid));
  const measured = measure(explanation, sample);
  const inner = { x: innerSides(grid.columns), y: innerSides(grid.rows) };
  const growthOf = (key: keyof TileGrowth): Growth => {
    const density = Math.sqrt(whole[key] / (size.width * size.height));
    // (density w + halo n)(density h + halo m) = measured, for the halo.
    const square = inner.x * inner.y;
    const linear = density * (sample.width * inner.y + sample.height * inner.x);
    const rest = density ** 2 * sample.width * sample.height - measured[key];
    return { density, halo: Math.max(0, positiveRoot(square, linear, rest)) };
  };
  return { flops: growthOf("flops"), bytes: growthOf("bytes"), elements: growthOf("elements") };
}

/** Of all tiles together: each line between two tiles adds two halos. */
export function totalOf({ density, halo }: Growth, { image, columns, rows }: TileGrid): number {
  return (density * image.width + 2 * halo * (columns - 1)) * (density * image.height + 2 * halo * (rows - 1));
}

/** Of the largest tile. */
export function largestOf({ density, halo }: Growth, { image, core, columns, rows }: TileGrid): number {
  const width = density * Math.min(core.width, image.width) + halo * innerSides(columns);
  return width * (density * Math.min(core.height, image.height) + halo * innerSides(rows));
}

/** Bytes of the values that a tile in the middle of the image needs at once, in the dearest sweep; float32. */
export function middleTileBytes(explanation: SweepPlan, grid: TileGrid): number {
  return measure(explanation, coreOf(grid, middleTile(grid))).bytes;
}

function measure(explanation: SweepPlan, core: Rectangle): { readonly [K in keyof TileGrowth]: number } {
  const graphs = explanation.sweeps.map((sweep): Graph => {
    const plan = prepareRestriction(sweepOutputs(sweep)).plan(sweepRegions(sweep, regionOf(core)));
    return tileProgram(sweep, plan.build(), "uint16");
  });
  return {
    flops: graphs.reduce((sum, graph) => sum + flops(graph), 0),
    bytes: Math.max(...graphs.map(peakActivationBytes)),
    elements: Math.max(...graphs.map(largestValue)),
  };
}

function largestValue({ outputs }: Graph): number {
  return Math.max(...topologicalOrder(Object.values(outputs)).map(({ shape }) => sizeOf(shape)));
}

/** Neighbours that a tile has along an axis, at most: one of two tiles has one. */
function innerSides(count: number): number {
  return Math.min(2, count - 1);
}

/** Of a x^2 + b x + c with a, b >= 0; 0 where there is none. */
function positiveRoot(a: number, b: number, c: number): number {
  if (a > 0) return (-b + Math.sqrt(Math.max(0, b ** 2 - 4 * a * c))) / (2 * a);
  return b > 0 ? -c / b : 0;
}

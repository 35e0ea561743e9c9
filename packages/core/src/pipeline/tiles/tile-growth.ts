import type { SweepPlan } from "../../explain/explanation.ts";
import { restrictionOf } from "../../explain/restrict-sweep.ts";
import { sweepRegions, tileProgram } from "../../explain/tile-program.ts";
import { regionOf } from "../../geometry/rectangle.ts";
import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import { coreOf, middleTile, tileGrid } from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { flops } from "../../graph/flops.ts";
import { topologicalOrder } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import { peakActivationBytes } from "../../graph/memory.ts";
import { sizeOf } from "../../graph/tensor.ts";

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
  const { size } = explanation.network;
  const grid = sampleGrid(explanation);
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

/** Of tiles of which one is in the image's middle. */
function sampleGrid({ network: { size, stride } }: SweepPlan): TileGrid {
  const third = Math.floor(Math.min(size.width, size.height) / 3);
  return tileGrid(size, { tile: Math.max(stride, Math.min(sampleSide, third)), stride });
}

/** Of all tiles together: each line between two tiles adds two halos, and tiles that are alike overlap. */
export function totalOf({ density, halo }: Growth, { image, columns, rows, window }: TileGrid): number {
  const width = window?.size === undefined ? image.width : columns * window.size.width;
  const height = window?.size === undefined ? image.height : rows * window.size.height;
  return (density * width + 2 * halo * (columns - 1)) * (density * height + 2 * halo * (rows - 1));
}

/** Of the largest tile. */
export function largestOf({ density, halo }: Growth, grid: TileGrid): number {
  const { width, height } = largestTile(grid);
  return (density * width + halo * innerSides(grid.columns)) * (density * height + halo * innerSides(grid.rows));
}

/** What the largest tile computes, without its halos. */
export function largestTile({ image, core, window }: TileGrid): Size {
  return window?.size ?? { width: Math.min(core.width, image.width), height: Math.min(core.height, image.height) };
}

/** Bytes of the values that a tile in the middle of the image needs at once, in the dearest sweep; float32. */
export function middleTileBytes(explanation: SweepPlan, grid: TileGrid): number {
  return measure(explanation, coreOf(grid, middleTile(grid))).bytes;
}

/** How far around a tile's core its pixels reach, at most. */
export function haloOf(explanation: SweepPlan): number {
  const grid = sampleGrid(explanation);
  const core = regionOf(coreOf(grid, middleTile(grid)));
  const reaches = explanation.sweeps.flatMap((sweep) => {
    const { inputRegions } = restrictionOf(sweep).plan(sweepRegions(sweep, core));
    const pixels = inputRegions[explanation.network.image.name] ?? core;
    return [
      core.x.start - pixels.x.start,
      pixels.x.end - core.x.end,
      core.y.start - pixels.y.start,
      pixels.y.end - core.y.end,
    ];
  });
  return Math.max(0, ...reaches);
}

function measure(explanation: SweepPlan, core: Rectangle): { readonly [K in keyof TileGrowth]: number } {
  const graphs = explanation.sweeps.map((sweep): Graph => {
    const plan = restrictionOf(sweep).plan(sweepRegions(sweep, regionOf(core)));
    return tileProgram(sweep, plan.build(), { samples: "uint16" });
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

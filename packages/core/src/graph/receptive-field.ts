import type { Interval } from "../geometry/interval.ts";
import { hull, isEmpty } from "../geometry/interval.ts";
import { operandsOf } from "./graph.ts";
import { analyseLocality } from "./locality.ts";
import type { LocalityAnalysis } from "./locality.ts";
import type { Layout, SpatialAxis } from "./locality/rule.ts";
import { extentAlong } from "./locality/rule.ts";
import type { Node, NodeOf } from "./node.ts";
import type { OperatorName, Pair } from "./vocabulary.ts";

/** How far around an aligned tile core a value looks, in the input's pixels: [vertical, horizontal]. */
export interface ReceptiveField {
  readonly before: Pair;
  readonly after: Pair;
}

/**
 * What is needed of `input` around an aligned core in the middle of the image: the halo. The image of the graph must be
 * larger than twice the halo, which costs nothing since nothing is computed.
 */
export function receptiveField(output: Node, input: Node): ReceptiveField {
  const analysis = analyseLocality([output]);
  const field = (axis: SpatialAxis): readonly [number, number] => {
    const strides = stridesAlong(analysis, input, axis);
    const period = periodOf(strides.values());
    const extent = extentAlong(input, layoutOf(analysis, input) ?? lastAxes(input), axis);
    const start = Math.floor(extent / 2 / period) * period;
    const core = { start, end: start + period };
    const { pixels, cells } = strides.get(output) ?? onePixel;
    const wanted = { start: (core.start / pixels) * cells, end: (core.end / pixels) * cells };
    const need = neededOf(analysis, { output, wanted, axis }).get(input) ?? { start, end: start };
    return [core.start - need.start, need.end - core.end];
  };
  const [top, bottom] = field(0);
  const [left, right] = field(1);
  return { before: [top, left], after: [bottom, right] };
}

function layoutOf(analysis: LocalityAnalysis, node: Node): Layout | undefined {
  const locality = analysis.order.includes(node) ? analysis.of(node) : undefined;
  return locality !== undefined && "layout" in locality ? locality.layout : undefined;
}

function lastAxes({ shape }: Node): Layout {
  return [shape.length - 2, shape.length - 1];
}

interface Wanted {
  readonly output: Node;
  readonly wanted: Interval;
  readonly axis: SpatialAxis;
}

function neededOf({ order, of }: LocalityAnalysis, { output, wanted, axis }: Wanted): ReadonlyMap<Node, Interval> {
  const needed = new Map<Node, Interval>([[output, wanted]]);
  for (const node of order.toReversed()) {
    const interval = needed.get(node);
    const locality = of(node);
    if (interval === undefined || !("layout" in locality) || locality.layout === undefined) continue;
    const { needs } = locality.along(axis, interval);
    operandsOf(node).forEach((operand, index) => {
      const part = needs[index];
      if (part === undefined || isEmpty(part)) return;
      const before = needed.get(operand);
      needed.set(operand, before === undefined ? part : hull(before, part));
    });
  }
  return needed;
}

/**
 * The alignment of tiles: after so many pixels, [vertical, horizontal], everything between `input` and `output` repeats.
 * It is the least common multiple of the strides of all values on the way.
 */
export function totalStride(output: Node, input: Node): Pair {
  const analysis = analyseLocality([output]);
  const along = (axis: SpatialAxis): number => periodOf(stridesAlong(analysis, input, axis).values());
  return [along(0), along(1)];
}

/** `cells` neighbours of a value stand for `pixels` neighbours of the input; in lowest terms. */
interface Stride {
  readonly pixels: number;
  readonly cells: number;
}

const onePixel: Stride = { pixels: 1, cells: 1 };

/** The strides of `input` and of the values that depend on it. */
function stridesAlong({ order, of }: LocalityAnalysis, input: Node, axis: SpatialAxis): ReadonlyMap<Node, Stride> {
  const strides = new Map<Node, Stride>([[input, onePixel]]);
  for (const node of order) {
    const locality = of(node);
    if (!("layout" in locality) || locality.layout === undefined || strides.has(node)) continue;
    const [first] = operandsOf(node).flatMap((operand) => strides.get(operand) ?? []);
    if (first !== undefined) strides.set(node, multiplied(first, stepOf(node, locality.layout[axis], axis)));
  }
  return strides;
}

function periodOf(strides: Iterable<Stride>): number {
  let period = 1;
  for (const { pixels } of strides) period = (period / greatestCommonDivisor(period, pixels)) * pixels;
  return period;
}

function multiplied(a: Stride, b: Stride): Stride {
  const [pixels, cells] = [a.pixels * b.pixels, a.cells * b.cells];
  const common = greatestCommonDivisor(pixels, cells);
  return { pixels: pixels / common, cells: cells / common };
}

function coarser(factor: number): Stride {
  return { pixels: factor, cells: 1 };
}

function finer(factor: number): Stride {
  return { pixels: 1, cells: factor };
}

/** The stride of an operator's value counted in its operand's cells, where that is not 1; `index` is the axis's own. */
const steps: { readonly [O in OperatorName]?: (node: NodeOf<O>, index: number, axis: SpatialAxis) => Stride } = {
  Conv: ({ attributes }, _, axis) => coarser(attributes.strides[axis]),
  MaxPool: ({ attributes }, _, axis) => coarser(attributes.strides[axis]),
  AveragePool: ({ attributes }, _, axis) => coarser(attributes.strides[axis]),
  ConvTranspose: ({ attributes }, _, axis) => finer(attributes.strides[axis]),
  Resize: ({ attributes }, _, axis) => finer(attributes.scales[axis]),
  ResizeGradient: ({ attributes }, _, axis) => coarser(attributes.scales[axis]),
  Slice: ({ attributes }, index) => coarser(Math.abs(attributes.steps[index] ?? 1)),
};

function stepOf<O extends OperatorName>(node: NodeOf<O>, index: number, axis: SpatialAxis): Stride {
  return steps[node.op]?.(node, index, axis) ?? onePixel;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

import type { Interval } from "../geometry/interval.ts";
import { hull, isEmpty } from "../geometry/interval.ts";
import { operandsOf } from "./graph.ts";
import { analyseLocality } from "./locality.ts";
import type { SpatialAxis } from "./locality/rule.ts";
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
  const [vertical, horizontal] = totalStride(output, input);
  const field = (axis: SpatialAxis, stride: number): readonly [number, number] => {
    const extent = input.shape[input.shape.length - 2 + axis] ?? 1;
    const cells = output.shape[output.shape.length - 2 + axis] ?? 1;
    const scale = extent / cells;
    const core = {
      start: Math.floor(extent / 2 / stride) * stride,
      end: Math.floor(extent / 2 / stride) * stride + stride,
    };
    const need = neededOf(output, input, axis, { start: core.start / scale, end: Math.ceil(core.end / scale) });
    return [core.start - need.start, need.end - core.end];
  };
  const [top, bottom] = field(0, vertical);
  const [left, right] = field(1, horizontal);
  return { before: [top, left], after: [bottom, right] };
}

function neededOf(output: Node, input: Node, axis: SpatialAxis, wanted: Interval): Interval {
  const { order, of } = analyseLocality([output]);
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
  return needed.get(input) ?? { start: wanted.start, end: wanted.start };
}

/**
 * The alignment of tiles: after so many pixels, [vertical, horizontal], everything between `input` and `output` repeats.
 * It is the least common multiple of the strides of all values on the way.
 */
export function totalStride(output: Node, input: Node): Pair {
  const { order, of } = analyseLocality([output]);
  const along = (axis: SpatialAxis): number => {
    const strides = new Map<Node, number>([[input, 1]]);
    let total = 1;
    for (const node of order) {
      const locality = of(node);
      if (!("layout" in locality) || locality.layout === undefined || strides.has(node)) continue;
      const [first] = operandsOf(node).flatMap((operand) => strides.get(operand) ?? []);
      if (first === undefined) continue;
      const stride = first * stepOf(node, axis);
      strides.set(node, stride);
      if (Number.isInteger(stride)) total = leastCommonMultiple(total, stride);
    }
    return total;
  };
  return [along(0), along(1)];
}

/** Input positions for each output position, for the operators where that is not 1. */
const steps: { readonly [O in OperatorName]?: (node: NodeOf<O>, axis: SpatialAxis) => number } = {
  Conv: ({ attributes }, axis) => attributes.strides[axis],
  MaxPool: ({ attributes }, axis) => attributes.strides[axis],
  AveragePool: ({ attributes }, axis) => attributes.strides[axis],
  ConvTranspose: ({ attributes }, axis) => 1 / attributes.strides[axis],
  Resize: ({ attributes }, axis) => 1 / attributes.scales[axis],
  ResizeGradient: ({ attributes }, axis) => attributes.scales[axis],
  Slice: ({ attributes }, axis) => Math.abs(attributes.steps.at(axis - 2) ?? 1),
};

function stepOf<O extends OperatorName>(node: NodeOf<O>, axis: SpatialAxis): number {
  return steps[node.op]?.(node, axis) ?? 1;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

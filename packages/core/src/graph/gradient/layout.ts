import type { Interval } from "../../geometry/interval.ts";
import { convTranspose, pad, reshape, slice as sliceOf, sliceAxis, transpose as transposed } from "../build.ts";
import { sameShape } from "../extents.ts";
import type { Node } from "../node.ts";
import { sizeOf } from "../tensor.ts";
import type { Shape } from "../tensor.ts";
import { expandAxes, ones, sumTo } from "./broadcast.ts";
import type { GradientRequest } from "./rule.ts";

export function expand({ node, gradient }: GradientRequest<"Expand">): Node {
  return sumTo(gradient, { from: node.shape, to: node.inputs[0].shape });
}

export function transpose({ node, gradient }: GradientRequest<"Transpose">): Node {
  const { permutation } = node.attributes;
  return transposed(
    gradient,
    permutation.map((_, axis) => permutation.indexOf(axis)),
  );
}

/** Where the operand lies in the result; on axes that are not joined an unexpanded gradient stays so. */
export function concat({ node, gradient, operand }: GradientRequest<"Concat">): Node {
  const { axis } = node.attributes;
  if (gradient.shape[axis] === 1) return gradient;
  const extents = node.inputs.map((input) => input.shape[axis] ?? 0);
  const start = extents.slice(0, operand).reduce((sum, extent) => sum + extent, 0);
  return sliceAxis(gradient, { axis, start, size: extents[operand] ?? 0 });
}

/** Runs of axes of two shapes of one size (not 0) that hold the same elements: [2, 3, 4] and [6, 4] have two. */
function matchingRuns(a: Shape, b: Shape): readonly { readonly a: Interval; readonly b: Interval }[] {
  const runs: { readonly a: Interval; readonly b: Interval }[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [startA, startB] = [i, j];
    let [sizeA, sizeB] = [a[i++] ?? 1, b[j++] ?? 1];
    while (sizeA !== sizeB) {
      if (sizeA < sizeB) sizeA *= a[i++] ?? 1;
      else sizeB *= b[j++] ?? 1;
    }
    runs.push({ a: { start: startA, end: Math.min(i, a.length) }, b: { start: startB, end: Math.min(j, b.length) } });
  }
  return runs;
}

/** Expands only what a run of axes mixes: flattening [1, C, 1, 1] for [1, C, H, W] gives [1, C, 1]. */
export function reshaped({ node, gradient }: GradientRequest<"Reshape">): Node {
  const [x] = node.inputs;
  if (sameShape(gradient.shape, node.shape)) return reshape(gradient, x.shape);
  const expanded: number[] = [];
  const target: number[] = [];
  for (const { a, b } of matchingRuns(node.shape, x.shape)) {
    const held = gradient.shape.slice(a.start, a.end).every((extent) => extent === 1);
    if (!held) for (let axis = a.start; axis < a.end; axis++) expanded.push(axis);
    for (const extent of x.shape.slice(b.start, b.end)) target.push(held ? 1 : extent);
  }
  return reshape(expandAxes(gradient, expanded, node.shape), target);
}

/** How a slice runs along one axis, upwards. */
interface Steps {
  readonly axis: number;
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly extent: number;
  readonly descending: boolean;
}

/** Back to the positions that were taken, zeros elsewhere. */
export function slice({ node, gradient }: GradientRequest<"Slice">): Node | undefined {
  const [x] = node.inputs;
  const { starts, sizes, steps } = node.attributes;
  if (sizeOf(sizes) === 0) return undefined;
  const along: readonly Steps[] = sizes.map((size, axis) => {
    const [start = 0, step = 1, extent = size] = [starts[axis], steps[axis], x.shape[axis]];
    const end = start + (size - 1) * step;
    const [first, last] = [Math.min(start, end), Math.max(start, end)];
    return { axis, first, last, step: Math.abs(step), extent, descending: end < start };
  });
  const partial = along.filter(({ axis, extent }) => sizes[axis] !== extent).map(({ axis }) => axis);
  const expanded = expandAxes(gradient, partial, node.shape);
  const ascending = reversed(
    expanded,
    along.filter(({ axis, descending }) => descending && expanded.shape[axis] !== 1).map(({ axis }) => axis),
  );
  const spread = along.reduce((result, { axis, step }) => spreadAxis(result, { axis, step }), ascending);
  const amount = (of: (steps: Steps) => number): readonly number[] =>
    along.map((steps) => (partial.includes(steps.axis) ? of(steps) : 0));
  return pad(spread, { before: amount(({ first }) => first), after: amount(({ last, extent }) => extent - 1 - last) });
}

/** Backwards along `axes`. */
export function reversed(x: Node, axes: readonly number[]): Node {
  return sliceOf(x, {
    starts: x.shape.map((extent, axis) => (axes.includes(axis) ? extent - 1 : 0)),
    sizes: x.shape,
    steps: x.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)),
  });
}

/** `step` - 1 zeros between neighbours along `axis`. */
function spreadAxis(x: Node, along: { readonly axis: number; readonly step: number }): Node {
  const { axis, step } = along;
  const extent = x.shape[axis] ?? 1;
  if (step === 1 || extent === 1) return x;
  // Image axes keep their places, so that a tile can be cut out of the result.
  if (x.shape.length === 4 && axis >= 2) return spreadImage(x, axis === 2 ? [step, 1] : [1, step]);
  const before = x.shape.slice(0, axis);
  const rest = x.shape.slice(axis + 1);
  const column = reshape(x, [...before, extent, 1, ...rest]);
  const padded = pad(column, { after: column.shape.map((_, index) => (index === axis + 1 ? step - 1 : 0)) });
  const spread = reshape(padded, [...before, extent * step, ...rest]);
  return sliceAxis(spread, { axis, start: 0, size: (extent - 1) * step + 1 });
}

function spreadImage(x: Node, strides: readonly [number, number]): Node {
  const channels = x.shape[1] ?? 1;
  const weight = ones(x.type, [channels, 1, 1, 1]);
  return convTranspose(x, weight, undefined, { strides, group: channels });
}

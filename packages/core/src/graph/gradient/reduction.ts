import {
  add,
  argMax,
  cast,
  coordinate,
  div,
  equal,
  exp,
  matMul as multiplied,
  mul,
  negate,
  reduceMax,
  reduceProd,
  reduceSum,
  scalarLike,
  sub,
  transpose,
} from "../build.ts";
import type { Node } from "../node.ts";
import { sizeOf } from "../tensor.ts";
import { expandAxes, scaled, sumTo } from "./broadcast.ts";
import type { GradientRequest } from "./rule.ts";
import { byOperand } from "./rule.ts";

/** The same for every term: already the gradient, unexpanded. */
export function sum({ gradient }: GradientRequest<"ReduceSum">): Node {
  return gradient;
}

export function mean({ node, gradient }: GradientRequest<"ReduceMean">): Node {
  const count = sizeOf(node.inputs[0].shape) / sizeOf(node.shape);
  return scaled(gradient, 1 / count);
}

/** To the first maximum in row-major order, as max pooling does. */
export function maximum({ node, gradient }: GradientRequest<"ReduceMax">): Node {
  return toFirstMaximum(node.inputs[0], { gradient, axes: node.attributes.axes });
}

/** To the first minimum in row-major order. */
export function minimum({ node, gradient }: GradientRequest<"ReduceMin">): Node {
  return toFirstMaximum(negate(node.inputs[0]), { gradient, axes: node.attributes.axes });
}

/**
 * A maximum over several axes is one over the last axis, then one over the axis before…: the first maximum of each step
 * is the first of all in row-major order, and each step's mask is a comparison with one index.
 */
function toFirstMaximum(
  x: Node,
  { gradient, axes }: { readonly gradient: Node; readonly axes: readonly number[] },
): Node {
  let remaining = x;
  const masks: Node[] = [];
  for (const axis of axes.toReversed()) {
    const first = cast(argMax(remaining, axis), "float32");
    const positions = coordinate({ axis, rank: x.shape.length, size: x.shape[axis] ?? 1 });
    masks.push(cast(equal(positions, first), x.type));
    remaining = reduceMax(remaining, [axis]);
  }
  return masks.reduceRight((share, mask) => mul(share, mask), gradient);
}

/** The product of the other elements, without dividing by zeros: zeros count as 1, and where another is 0 the result is. */
export function product({ node, gradient }: GradientRequest<"ReduceProd">): Node {
  const [x] = node.inputs;
  const { axes } = node.attributes;
  const isZero = (value: Node): Node => cast(equal(value, scalarLike(value, 0)), x.type);
  const zero = isZero(x);
  const nonZero = add(x, zero);
  const otherZeros = sub(reduceSum(zero, axes), zero);
  const others = div(reduceProd(nonZero, axes), nonZero);
  return mul(gradient, mul(others, isZero(otherZeros)));
}

export function logSumExp({ node, gradient }: GradientRequest<"ReduceLogSumExp">): Node {
  return mul(gradient, exp(sub(node.inputs[0], node)));
}

export function softmax({ node, gradient }: GradientRequest<"Softmax">): Node {
  const weighted = mul(gradient, node);
  return sub(weighted, mul(node, reduceSum(weighted, [node.attributes.axis])));
}

/** With g = dy/d(ab): g bT and aT g. The axis that is summed over must be whole; the others may stay unexpanded. */
export const matMul = byOperand<"MatMul">(
  ({ node, gradient }) => {
    const [a, b] = node.inputs;
    const whole = expandAxes(gradient, [node.shape.length - 1], node.shape);
    return sumTo(multiplied(whole, matrixTranspose(b)), {
      from: [...node.shape.slice(0, -1), a.shape.at(-1) ?? 1],
      to: a.shape,
    });
  },
  ({ node, gradient }) => {
    const [a, b] = node.inputs;
    const whole = expandAxes(gradient, [node.shape.length - 2], node.shape);
    const from = node.shape.with(node.shape.length - 2, b.shape.at(-2) ?? 1);
    return sumTo(multiplied(matrixTranspose(a), whole), { from, to: b.shape });
  },
);

function matrixTranspose(x: Node): Node {
  const [rows, columns] = [x.shape.length - 2, x.shape.length - 1];
  return transpose(x, [...x.shape.keys()].with(rows, columns).with(columns, rows));
}

import { constant, expand, mul, reduceSum, reshape, scalarLike } from "../build.ts";
import type { Node } from "../node.ts";
import { sizeOf, tensorOf } from "../tensor.ts";
import type { ElementType, Shape } from "../tensor.ts";

/**
 * Gradients are kept unexpanded: an axis on which a gradient is the same everywhere has extent 1, so that the gradient
 * below a mean over all pixels stays a vector [1, C, 1, 1], whatever the image's size. These functions are where that
 * form meets rules that need more.
 */

/** `gradient`, which broadcasts to `shape`, with every value there. */
export function expandTo(gradient: Node, shape: Shape): Node {
  return expand(gradient, shape);
}

/** `gradient`, of the rank of `shape`, with every value along `axes`; its other axes stay as they are. */
export function expandAxes(gradient: Node, axes: readonly number[], shape: Shape): Node {
  return expand(
    gradient,
    gradient.shape.map((extent, axis) => (axes.includes(axis) ? (shape[axis] ?? extent) : extent)),
  );
}

/** `x` times a number; `x` itself for 1. */
export function scaled(x: Node, factor: number): Node {
  return factor === 1 ? x : mul(x, scalarLike(x, factor));
}

/**
 * The gradient of an operand of shape `to` that was broadcast to `from`, the shape that `gradient` stands for: sums over
 * the axes that were added or repeated. On an axis that the gradient left unexpanded the sum is a product.
 */
export function sumTo(gradient: Node, shapes: { readonly from: Shape; readonly to: Shape }): Node {
  const { from, to } = shapes;
  const missing = from.length - to.length;
  const repeated = [...from.keys()].filter((axis) => from[axis] !== 1 && (axis < missing || to[axis - missing] === 1));
  const held = repeated.filter((axis) => gradient.shape[axis] === 1);
  const summed = reduceSum(
    gradient,
    repeated.filter((axis) => !held.includes(axis)),
  );
  const total = scaled(summed, sizeOf(held.map((axis) => from[axis] ?? 1)));
  return reshape(total, total.shape.slice(missing));
}

/** A weight of ones. */
export function ones(type: ElementType, shape: Shape): Node {
  return constant(
    tensorOf(
      type,
      shape,
      Array.from({ length: sizeOf(shape) }, () => 1),
    ),
  );
}

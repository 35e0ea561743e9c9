import type { Node, NodeOf } from "../node.ts";
import { sizeOf } from "../tensor.ts";
import type { Shape } from "../tensor.ts";
import type { ReductionAttributes } from "../vocabulary.ts";
import { broadcastPositions, gather } from "./positions.ts";
import type { ValueOf } from "./rule.ts";

interface ReductionNode extends Pick<Node, "shape"> {
  readonly inputs: readonly [Node];
  readonly attributes: ReductionAttributes;
}

/** Combines, from `initial` on, the elements of `data` that fall on the same position; `count` positions. */
function accumulate(
  data: Float64Array,
  positions: Int32Array,
  count: number,
  initial: number,
  combine: (result: number, x: number) => number,
): Float64Array {
  const result = new Float64Array(count).fill(initial);
  for (const [index, position] of positions.entries()) {
    result[position] = combine(result[position] ?? 0, data[index] ?? 0);
  }
  return result;
}

/** A reduction that combines elements one by one. */
export function reduction(
  initial: number,
  combine: (result: number, x: number) => number,
): (node: ReductionNode, valueOf: ValueOf) => Float64Array {
  return (node, valueOf) => {
    const [x] = node.inputs;
    return accumulate(valueOf(x), broadcastPositions(node.shape, x.shape), sizeOf(node.shape), initial, combine);
  };
}

const sum = reduction(0, (result, x) => result + x);

export function mean(node: ReductionNode, valueOf: ValueOf): Float64Array {
  const count = sizeOf(node.inputs[0].shape) / sizeOf(node.shape);
  return sum(node, valueOf).map((total) => total / count);
}

interface Exponentials {
  /** exp(x - maximum) of each element. */
  readonly values: Float64Array;
  /** For each element the position of its group. */
  readonly positions: Int32Array;
  readonly maxima: Float64Array;
  readonly sums: Float64Array;
}

/** Exponentials of `data` [shape], relative to the maximum of their group, so that none overflows. */
function exponentials(data: Float64Array, shape: Shape, grouped: Shape): Exponentials {
  const positions = broadcastPositions(grouped, shape);
  const count = sizeOf(grouped);
  // A group of -Infinity alone has no finite maximum: relative to 0 its exponentials are 0, not NaN.
  const maxima = accumulate(data, positions, count, -Infinity, Math.max).map((x) => (x === -Infinity ? 0 : x));
  const relative = gather(maxima, positions);
  const values = data.map((x, index) => (x === Infinity ? Infinity : Math.exp(x - (relative[index] ?? 0))));
  return { values, positions, maxima, sums: accumulate(values, positions, count, 0, (total, x) => total + x) };
}

export function logSumExp(node: NodeOf<"ReduceLogSumExp">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const { maxima, sums } = exponentials(valueOf(x), x.shape, node.shape);
  return sums.map((total, index) => Math.log(total) + (maxima[index] ?? 0));
}

export function softmax(node: NodeOf<"Softmax">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const grouped = x.shape.with(node.attributes.axis, 1);
  const { values, positions, sums } = exponentials(valueOf(x), x.shape, grouped);
  return values.map((value, index) => value / (sums[positions[index] ?? 0] ?? 0));
}

export function argMax(node: NodeOf<"ArgMax">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const data = valueOf(x);
  const { axis } = node.attributes;
  const extent = x.shape[axis] ?? 0;
  const stride = sizeOf(x.shape.slice(axis + 1));
  return Float64Array.from({ length: sizeOf(node.shape) }, (_, index) => {
    const start = Math.floor(index / stride) * extent * stride + (index % stride);
    let best = 0;
    for (let candidate = 1; candidate < extent; candidate++) {
      if ((data[start + candidate * stride] ?? 0) > (data[start + best * stride] ?? 0)) best = candidate;
    }
    return best;
  });
}

export function matMul(node: NodeOf<"MatMul">, valueOf: ValueOf): Float64Array {
  const [a, b] = node.inputs;
  const [left, right] = [valueOf(a), valueOf(b)];
  const [rows, columns, inner] = [node.shape.at(-2) ?? 0, node.shape.at(-1) ?? 0, a.shape.at(-1) ?? 0];
  const batch = node.shape.slice(0, -2);
  const lefts = broadcastPositions(a.shape.slice(0, -2), batch);
  const rights = broadcastPositions(b.shape.slice(0, -2), batch);
  const result = new Float64Array(sizeOf(node.shape));
  for (const [matrix, leftMatrix] of lefts.entries()) {
    const rightStart = (rights[matrix] ?? 0) * inner * columns;
    for (let row = 0; row < rows; row++) {
      const start = (matrix * rows + row) * columns;
      for (let k = 0; k < inner; k++) {
        const factor = left[(leftMatrix * rows + row) * inner + k] ?? 0;
        for (let column = 0; column < columns; column++) {
          const product = factor * (right[rightStart + k * columns + column] ?? 0);
          result[start + column] = (result[start + column] ?? 0) + product;
        }
      }
    }
  }
  return result;
}

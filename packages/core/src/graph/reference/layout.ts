import type { Node, NodeOf } from "../node.ts";
import { elementsOf, sizeOf } from "../tensor.ts";
import type { Attributes } from "../vocabulary.ts";
import { broadcastPositions, gather, positionsOf, stridesOf } from "./positions.ts";
import type { ValueOf } from "./rule.ts";

export function input(node: NodeOf<"Input">): Float64Array {
  throw new RangeError(`Evaluating the graph: the input "${node.name}" has no value.`);
}

export function constant(node: NodeOf<"Constant">): Float64Array {
  return elementsOf(node.attributes.tensor);
}

export function coordinate(node: NodeOf<"Coordinate">): Float64Array {
  return Float64Array.from({ length: node.attributes.size }, (_, index) => index);
}

/** The elements themselves, in the same order. */
export function unchanged(node: { readonly inputs: readonly [Node] }, valueOf: ValueOf): Float64Array {
  return valueOf(node.inputs[0]);
}

/** Which position along an axis of `extent` a padded position shows; -1 for none. */
const padded: { readonly [M in Attributes<"Pad">["mode"]]: (position: number, extent: number) => number } = {
  constant: (position, extent) => (position >= 0 && position < extent ? position : -1),
  edge: (position, extent) => Math.min(Math.max(position, 0), extent - 1),
  reflect: (position, extent) => extent - 1 - Math.abs(extent - 1 - Math.abs(position)),
};

export function pad(node: NodeOf<"Pad">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const { mode, before, value } = node.attributes;
  const strides = stridesOf(x.shape);
  const offsets = node.shape.map((extent, axis) =>
    Array.from({ length: extent }, (_, index) => {
      const position = padded[mode](index - (before[axis] ?? 0), x.shape[axis] ?? 0);
      return position < 0 ? -1 : position * (strides[axis] ?? 0);
    }),
  );
  return gather(valueOf(x), positionsOf(offsets), value);
}

export function slice(node: NodeOf<"Slice">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const { starts, sizes, steps } = node.attributes;
  const offsets = stridesOf(x.shape).map((stride, axis) => {
    const [start = 0, size = 0, step = 1] = [starts[axis], sizes[axis], steps[axis]];
    return Array.from({ length: size }, (_, index) => (start + index * step) * stride);
  });
  return gather(valueOf(x), positionsOf(offsets));
}

export function concat(node: NodeOf<"Concat">, valueOf: ValueOf): Float64Array {
  const { axis } = node.attributes;
  const result = new Float64Array(sizeOf(node.shape));
  const blocks = sizeOf(node.shape.slice(0, axis));
  const stride = sizeOf(node.shape.slice(axis));
  let offset = 0;
  for (const operand of node.inputs) {
    const data = valueOf(operand);
    const length = sizeOf(operand.shape.slice(axis));
    for (let block = 0; block < blocks; block++) {
      result.set(data.subarray(block * length, (block + 1) * length), block * stride + offset);
    }
    offset += length;
  }
  return result;
}

export function transpose(node: NodeOf<"Transpose">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  const strides = stridesOf(x.shape);
  const offsets = node.attributes.permutation.map((axis) =>
    Array.from({ length: x.shape[axis] ?? 0 }, (_, index) => index * (strides[axis] ?? 0)),
  );
  return gather(valueOf(x), positionsOf(offsets));
}

export function expand(node: NodeOf<"Expand">, valueOf: ValueOf): Float64Array {
  const [x] = node.inputs;
  return gather(valueOf(x), broadcastPositions(x.shape, node.shape));
}

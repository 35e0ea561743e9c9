import { sizeOf } from "../tensor.ts";
import type { Shape } from "../tensor.ts";

/** Elements between neighbours along each axis of a row-major array. */
export function stridesOf(shape: Shape): readonly number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/**
 * Positions in a flat array, in row-major order of a result whose axis i has as many indices as `offsets[i]`: each is
 * the sum of one offset for each axis. A negative offset marks a place outside the array; its positions are -1.
 */
export function positionsOf(offsets: readonly (readonly number[])[]): Int32Array {
  let positions = Int32Array.of(0);
  for (const along of offsets) {
    const next = new Int32Array(positions.length * along.length);
    let index = 0;
    for (const position of positions) {
      for (const offset of along) next[index++] = position < 0 || offset < 0 ? -1 : position + offset;
    }
    positions = next;
  }
  return positions;
}

/** For each element of `result`, the position of the element of `shape` that broadcasts to it. */
export function broadcastPositions(shape: Shape, result: Shape): Int32Array {
  const strides = stridesOf(shape);
  const missing = result.length - shape.length;
  return positionsOf(
    result.map((extent, axis) => {
      const stride = shape[axis - missing] === 1 ? 0 : (strides[axis - missing] ?? 0);
      return Array.from({ length: extent }, (_, index) => index * stride);
    }),
  );
}

/** The elements at the positions; `outside` for those that are -1. */
export function gather(data: Float64Array, positions: Int32Array, outside = 0): Float64Array {
  // A loop: `Float64Array.from` with a function takes ten times as long.
  const gathered = new Float64Array(positions.length);
  for (let i = 0; i < positions.length; i++) {
    const position = positions[i] ?? -1;
    gathered[i] = position < 0 ? outside : (data[position] ?? 0);
  }
  return gathered;
}

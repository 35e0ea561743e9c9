import type { NodeOf } from "../../../graph/node.ts";
import type { Shape } from "../../../graph/tensor.ts";
import type { Emitter } from "./emitter.ts";

/** "Up to the end" where a slice runs forwards. */
const toTheEnd = 2 ** 31 - 1;

/** A slice's bounds along its axes, as ONNX counts them: from 0 on, or below 0 from the end. */
export interface Bounds {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/**
 * Where a slice begins and ends, each counted from the end of its axis that is nearer: the same numbers in graphs that differ only in their extents.
 * @returns `undefined` for a slice that runs backwards.
 */
export function relativeBounds({ inputs: [x], attributes }: NodeOf<"Slice">): Bounds | undefined {
  const { starts, sizes, steps } = attributes;
  if (steps.some((step) => step < 1)) return undefined;
  const axes = starts.map((start, axis) => {
    const [extent = 0, size = 0, step = 1] = [x.shape[axis], sizes[axis], steps[axis]];
    const end = start + (size - 1) * step + 1;
    const isLast = Math.ceil((extent - start) / step) === size;
    return {
      start: start <= extent / 2 ? start : start - extent,
      end: isLast ? toTheEnd : end <= extent / 2 ? end : end - extent,
    };
  });
  return { starts: axes.map(({ start }) => start), ends: axes.map(({ end }) => end) };
}

/**
 * A change of shape, of what is known of it whatever the extents are: axes of extent 1 that come or go; else axes that stay (0 in ONNX), and the largest
 * of the others, which follows from the rest (-1).
 */
export function lowerRelativeReshape(
  emitter: Emitter,
  operand: string,
  { inputs: [x], shape }: NodeOf<"Reshape">,
  name: string | undefined,
): string {
  const gone = onesBetween(x.shape, shape);
  if (gone !== undefined) return emitter.emit("Squeeze", [operand, emitter.integers(gone)], {}, name);
  const come = onesBetween(shape, x.shape);
  if (come !== undefined) return emitter.emit("Unsqueeze", [operand, emitter.integers(come)], {}, name);
  const others = shape.map((extent, axis) => (extent === x.shape[axis] ? 0 : extent));
  const following = others.indexOf(Math.max(...others));
  const target = others.map((extent, axis) => (axis === following && extent > 0 ? -1 : extent));
  return emitter.emit("Reshape", [operand, emitter.integers(target)], {}, name);
}

/** The axes of `longer`, each of extent 1, without which it is `shorter`; `undefined` where it is something else. */
function onesBetween(longer: Shape, shorter: Shape): readonly number[] | undefined {
  const axes: number[] = [];
  for (const [axis, extent] of longer.entries()) {
    if (extent === shorter[axis - axes.length]) continue;
    if (extent !== 1) return undefined;
    axes.push(axis);
  }
  return axes.length > 0 && longer.length - axes.length === shorter.length ? axes : undefined;
}

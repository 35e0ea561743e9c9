import type { Graph } from "../../graph/graph.ts";

/** An extent, or what it lies between; -1: no limit. */
interface Extent {
  readonly min: number;
  readonly max: number;
}

export interface BoundedInput {
  readonly name: string;
  readonly extents: readonly Extent[];
}

/** Enough for networks that halve an image six times. */
const leastExtent = 64;

/**
 * The inputs whose open image axes are long, with what is known of them. Of an image that might be shorter than its network's stride, OpenVINO can't tell that what
 * was pooled and upsampled again has the size that it had: it would copy one value after the other where it adds them, in half as much memory again.
 */
export function boundedInputs({ inputs }: Graph): readonly BoundedInput[] {
  return inputs.flatMap(({ name, shape, attributes: { spatial } }) => {
    const isOpen = (axis: number): boolean => spatial?.includes(axis) === true && shape[axis] !== 1;
    const open = shape.filter((_, axis) => isOpen(axis));
    if (open.length === 0 || open.some((extent) => extent < leastExtent)) return [];
    const extents = shape.map((extent, axis) =>
      isOpen(axis) ? { min: leastExtent, max: -1 } : { min: extent, max: extent },
    );
    return [{ name, extents }];
  });
}

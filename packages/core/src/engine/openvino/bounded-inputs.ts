import { isOpenAxis } from "../../format/onnx/encode.ts";
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
  return inputs.flatMap((node) => {
    const open = node.shape.filter((_, axis) => isOpenAxis(node, axis));
    if (open.length === 0 || open.some((extent) => extent < leastExtent)) return [];
    const extents = node.shape.map((extent, axis) =>
      isOpenAxis(node, axis) ? { min: leastExtent, max: -1 } : { min: extent, max: extent },
    );
    return [{ name: node.name, extents }];
  });
}

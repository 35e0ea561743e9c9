import { elementBytes, sizeOf, tensorOver } from "../graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../graph/tensor.ts";
import { takeBuffer } from "../io/used-buffers.ts";

/** A tensor for an engine to write, all of it: what it holds is not known. */
export function newTensor(type: ElementType, shape: Shape): Tensor {
  return tensorOver(type, shape, takeBuffer(elementBytes[type] * sizeOf(shape)));
}

import { sizeOf } from "../graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../graph/tensor.ts";
import { takeBuffer } from "../io/used-buffers.ts";

const makers: { readonly [T in ElementType]: (shape: Shape) => Tensor } = {
  float32: (shape) => ({ type: "float32", shape, data: new Float32Array(takeBuffer(4 * sizeOf(shape))) }),
  float64: (shape) => ({ type: "float64", shape, data: new Float64Array(takeBuffer(8 * sizeOf(shape))) }),
  float16: (shape) => ({ type: "float16", shape, data: new Uint16Array(takeBuffer(2 * sizeOf(shape))) }),
  int64: (shape) => ({ type: "int64", shape, data: new BigInt64Array(takeBuffer(8 * sizeOf(shape))) }),
  int32: (shape) => ({ type: "int32", shape, data: new Int32Array(takeBuffer(4 * sizeOf(shape))) }),
  uint8: (shape) => ({ type: "uint8", shape, data: new Uint8Array(takeBuffer(sizeOf(shape))) }),
  uint16: (shape) => ({ type: "uint16", shape, data: new Uint16Array(takeBuffer(2 * sizeOf(shape))) }),
  bool: (shape) => ({ type: "bool", shape, data: new Uint8Array(takeBuffer(sizeOf(shape))) }),
};

/** A tensor for an engine to write, all of it: what it holds is not known. */
export function newTensor(type: ElementType, shape: Shape): Tensor {
  return makers[type](shape);
}

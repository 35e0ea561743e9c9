import { elementBytes, sizeOf } from "../graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../graph/tensor.ts";
import { takeBuffer } from "../io/used-buffers.ts";

const views: { readonly [T in ElementType]: (shape: Shape, buffer: ArrayBuffer) => Tensor } = {
  float32: (shape, buffer) => ({ type: "float32", shape, data: new Float32Array(buffer) }),
  float64: (shape, buffer) => ({ type: "float64", shape, data: new Float64Array(buffer) }),
  float16: (shape, buffer) => ({ type: "float16", shape, data: new Uint16Array(buffer) }),
  int64: (shape, buffer) => ({ type: "int64", shape, data: new BigInt64Array(buffer) }),
  int32: (shape, buffer) => ({ type: "int32", shape, data: new Int32Array(buffer) }),
  uint8: (shape, buffer) => ({ type: "uint8", shape, data: new Uint8Array(buffer) }),
  uint16: (shape, buffer) => ({ type: "uint16", shape, data: new Uint16Array(buffer) }),
  bool: (shape, buffer) => ({ type: "bool", shape, data: new Uint8Array(buffer) }),
};

/** A tensor for an engine to write, all of it: what it holds is not known. */
export function newTensor(type: ElementType, shape: Shape): Tensor {
  return views[type](shape, takeBuffer(elementBytes[type] * sizeOf(shape)));
}

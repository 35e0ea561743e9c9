import { Tensor as OrtTensor } from "onnxruntime-node";
import type { ElementType, Shape, Tensor } from "../../graph/tensor.ts";

export function toOrtTensor({ type, data, shape }: Tensor): OrtTensor {
  return new OrtTensor(type, data, shape);
}

type Reader = (data: OrtTensor["data"], shape: Shape) => Tensor | undefined;

const readers: { readonly [T in ElementType]: Reader } = {
  float32: (data, shape) => (data instanceof Float32Array ? { type: "float32", shape, data } : undefined),
  float64: (data, shape) => (data instanceof Float64Array ? { type: "float64", shape, data } : undefined),
  float16: (data, shape) =>
    // A Float16Array where JavaScript has that.
    ArrayBuffer.isView(data)
      ? { type: "float16", shape, data: new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) }
      : undefined,
  int64: (data, shape) => (data instanceof BigInt64Array ? { type: "int64", shape, data } : undefined),
  int32: (data, shape) => (data instanceof Int32Array ? { type: "int32", shape, data } : undefined),
  uint8: (data, shape) => (data instanceof Uint8Array ? { type: "uint8", shape, data } : undefined),
  uint16: (data, shape) => (data instanceof Uint16Array ? { type: "uint16", shape, data } : undefined),
  bool: (data, shape) => (data instanceof Uint8Array ? { type: "bool", shape, data } : undefined),
};

/** @throws {TypeError} for an element type that no graph has. */
export function fromOrtTensor(tensor: OrtTensor): Tensor {
  const reader = new Map<string, Reader>(Object.entries(readers)).get(tensor.type);
  const read = reader?.(tensor.data, tensor.dims);
  if (read === undefined) throw new TypeError(`ONNX Runtime gave a tensor of the type ${tensor.type}.`);
  return read;
}

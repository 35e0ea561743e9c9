import { sizeOf } from "../../graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../../graph/tensor.ts";
import type { Handle, OpenVino } from "./library.ts";

/** Values of the enumeration `ov_element_type_e` of OpenVINO 2026.4. */
const elementTypes: { readonly [T in ElementType]: number } = {
  bool: 1,
  float16: 3,
  float32: 4,
  float64: 5,
  int32: 9,
  int64: 10,
  uint8: 16,
  uint16: 17,
};

/** OpenVINO's view of a tensor's buffer, which must live and stay where it is as long as the view. */
export function viewOf(library: OpenVino, { type, shape, data }: Tensor): Handle {
  // Asking for the buffer moves the values of a small array out of the garbage collector's reach.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return library.make("createTensor", (out) => [
    elementTypes[type],
    { rank: shape.length, dims: shape.map(Number) },
    bytes,
    out,
  ]);
}

const makers: { readonly [T in ElementType]: (shape: Shape) => Tensor } = {
  float32: (shape) => ({ type: "float32", shape, data: new Float32Array(sizeOf(shape)) }),
  float64: (shape) => ({ type: "float64", shape, data: new Float64Array(sizeOf(shape)) }),
  float16: (shape) => ({ type: "float16", shape, data: new Uint16Array(sizeOf(shape)) }),
  int64: (shape) => ({ type: "int64", shape, data: new BigInt64Array(sizeOf(shape)) }),
  int32: (shape) => ({ type: "int32", shape, data: new Int32Array(sizeOf(shape)) }),
  uint8: (shape) => ({ type: "uint8", shape, data: new Uint8Array(sizeOf(shape)) }),
  uint16: (shape) => ({ type: "uint16", shape, data: new Uint16Array(sizeOf(shape)) }),
  bool: (shape) => ({ type: "bool", shape, data: new Uint8Array(sizeOf(shape)) }),
};

/** A tensor of zeros, for OpenVINO to write into. */
export function emptyTensor(type: ElementType, shape: Shape): Tensor {
  return makers[type](shape);
}

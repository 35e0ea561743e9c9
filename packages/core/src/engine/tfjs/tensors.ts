import { float16Bits, numberOfFloat16 } from "../../graph/float16.ts";
import type { ElementType, Shape, Tensor } from "../../graph/tensor.ts";
import type { TensorFlow, TfTensor } from "./tensorflow.ts";

/**
 * TensorFlow.js has float32, int32 and bool. Wider values are held narrower: float64 in float32, int64, which are positions,
 * in int32. Booleans are 0 and 1, with which one can compute.
 */
export const heldAs: { readonly [T in ElementType]: "float32" | "int32" } = {
  float32: "float32",
  float64: "float32",
  float16: "float32",
  int64: "int32",
  int32: "int32",
  uint8: "int32",
  uint16: "int32",
  bool: "int32",
};

/** A tensor as TensorFlow.js holds it. */
export interface HeldTensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: Shape;
  readonly type: "float32" | "int32";
}

/** What needs no conversion is not copied. */
export function heldTensor(tensor: Tensor): HeldTensor {
  return { data: heldValues(tensor), shape: tensor.shape, type: heldAs[tensor.type] };
}

function heldValues(tensor: Tensor): Float32Array | Int32Array {
  switch (tensor.type) {
    case "float32":
    case "int32":
      return tensor.data;
    case "float64":
      return Float32Array.from(tensor.data);
    case "float16":
      return Float32Array.from(tensor.data, numberOfFloat16);
    case "int64":
      return Int32Array.from(tensor.data, Number);
    case "uint8":
    case "uint16":
    case "bool":
      return Int32Array.from(tensor.data);
    default:
      return tensor satisfies never;
  }
}

export function toTfTensor(tf: TensorFlow, { data, shape, type }: HeldTensor): TfTensor {
  return tf.tensor(data, [...shape], type);
}

type Held = Float32Array | Int32Array | Uint8Array;

const readers: { readonly [T in ElementType]: (shape: Shape, held: Held) => Tensor } = {
  float32: (shape, held) => ({
    type: "float32",
    shape,
    data: held instanceof Float32Array ? held : Float32Array.from(held),
  }),
  float64: (shape, held) => ({ type: "float64", shape, data: Float64Array.from(held) }),
  float16: (shape, held) => ({ type: "float16", shape, data: Uint16Array.from(held, float16Bits) }),
  int64: (shape, held) => ({ type: "int64", shape, data: BigInt64Array.from(held, BigInt) }),
  int32: (shape, held) => ({ type: "int32", shape, data: Int32Array.from(held) }),
  uint8: (shape, held) => ({ type: "uint8", shape, data: Uint8Array.from(held) }),
  uint16: (shape, held) => ({ type: "uint16", shape, data: Uint16Array.from(held) }),
  bool: (shape, held) => ({ type: "bool", shape, data: Uint8Array.from(held, (value) => (value === 0 ? 0 : 1)) }),
};

/** Reads a value back, blocking. */
export function fromTfTensor(value: TfTensor, { type, shape }: Pick<Tensor, "type" | "shape">): Tensor {
  return readers[type](shape, value.dataSync());
}

import { float16Bits, numberOfFloat16 } from "./float16.ts";

/** Extents, outermost axis first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Element types and the typed array that holds each; `bool` is one byte, 0 or 1; float16 is held as its bits. */
export interface ElementArrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly float16: Uint16Array;
  readonly int64: BigInt64Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly bool: Uint8Array;
}

export type ElementType = keyof ElementArrays;

/** Of one element. */
export const elementBytes: { readonly [T in ElementType]: number } = {
  float32: 4,
  float64: 8,
  float16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  uint16: 2,
  bool: 1,
};

/** A dense array of values in row-major order: `data.length` is the product of `shape`. */
export type Tensor = {
  readonly [T in ElementType]: { readonly type: T; readonly shape: Shape; readonly data: ElementArrays[T] };
}[ElementType];

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function float32(shape: Shape, data: Float32Array | readonly number[]): Tensor {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (values.length !== sizeOf(shape)) {
    throw new RangeError(`A tensor of shape [${shape.join(", ")}] has ${sizeOf(shape)} values, got ${values.length}.`);
  }
  return { type: "float32", shape, data: values };
}

const makeTensor: { readonly [T in ElementType]: (shape: Shape, values: Iterable<number>) => Tensor } = {
  float32: (shape, values) => ({ type: "float32", shape, data: Float32Array.from(values) }),
  float64: (shape, values) => ({ type: "float64", shape, data: Float64Array.from(values) }),
  float16: (shape, values) => ({ type: "float16", shape, data: Uint16Array.from(values, float16Bits) }),
  int64: (shape, values) => ({ type: "int64", shape, data: BigInt64Array.from(values, toInt64) }),
  int32: (shape, values) => ({ type: "int32", shape, data: Int32Array.from(values) }),
  uint8: (shape, values) => ({ type: "uint8", shape, data: Uint8Array.from(values) }),
  uint16: (shape, values) => ({ type: "uint16", shape, data: Uint16Array.from(values) }),
  bool: (shape, values) => ({ type: "bool", shape, data: Uint8Array.from(values, (value) => (value === 0 ? 0 : 1)) }),
};

const largestInt64 = 2n ** 63n - 1n;

/**
 * Truncates towards zero; NaN is 0, as for the other integer arrays. Numbers beyond int64 become its ends: the largest
 * int64, which formats use to say "to the end", rounds up to 2^63 as a number.
 */
function toInt64(value: number): bigint {
  if (Number.isNaN(value)) return 0n;
  if (value >= 2 ** 63) return largestInt64;
  return value <= -(2 ** 63) ? -largestInt64 - 1n : BigInt(Math.trunc(value));
}

/** A tensor of any type from numbers, rounded as the typed array of that type rounds them. */
export function tensorOf(type: ElementType, shape: Shape, values: ArrayLike<number> & Iterable<number>): Tensor {
  if (values.length !== sizeOf(shape)) {
    throw new RangeError(`A tensor of shape [${shape.join(", ")}] has ${sizeOf(shape)} values, got ${values.length}.`);
  }
  return makeTensor[type](shape, values);
}

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

/** A tensor whose elements lie in all of this memory. */
export function tensorOver(type: ElementType, shape: Shape, buffer: ArrayBuffer): Tensor {
  return views[type](shape, buffer);
}

/** A tensor's elements as numbers; integers beyond 2^53 lose their last bits. */
export function elementsOf(tensor: Tensor): Float64Array {
  if (tensor.type === "float16") return Float64Array.from(tensor.data, numberOfFloat16);
  return tensor.type === "int64" ? Float64Array.from(tensor.data, Number) : Float64Array.from(tensor.data);
}

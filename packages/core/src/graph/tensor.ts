/** Extents, outermost axis first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Element types and the typed array that holds each; `bool` is one byte, 0 or 1. */
export interface ElementArrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly int64: BigInt64Array;
  readonly int32: Int32Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly bool: Uint8Array;
}

export type ElementType = keyof ElementArrays;

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

export function scalar(value: number): Tensor {
  return float32([], [value]);
}

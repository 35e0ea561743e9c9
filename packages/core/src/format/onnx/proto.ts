/**
 * The messages of an ONNX file that Slidelight uses, as onnx.proto (IR version 3 and later) defines them; fields that it
 * has no use for are left out. 64-bit integers are numbers where they are sizes, axes and the like.
 */

export interface ModelProto {
  readonly irVersion: number;
  readonly producerName: string;
  readonly opsets: readonly OperatorSet[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: GraphProto | undefined;
}

export interface OperatorSet {
  /** "" is ai.onnx. */
  readonly domain: string;
  readonly version: number;
}

export interface GraphProto {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  /** Names of sparse initializers: they are known, in order to be refused. */
  readonly sparseInitializers: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface NodeProto {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** "" stands for an absent optional operand. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly AttributeProto[];
}

export interface AttributeProto {
  readonly name: string;
  readonly value: AttributeValue;
}

export type AttributeValue =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: TensorProto }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  /** A graph, a sparse tensor, a type…: nothing that an operator in the vocabulary has. */
  | { readonly kind: "other" };

export interface ValueInfo {
  readonly name: string;
  readonly dataType: number | undefined;
  /** A number, a symbol, or `undefined` where nothing is said; the whole is `undefined` for an unknown rank. */
  readonly shape: readonly (number | string | undefined)[] | undefined;
}

export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData?: Uint8Array;
  readonly floatData?: readonly number[];
  readonly int32Data?: readonly number[];
  readonly int64Data?: readonly bigint[];
  readonly doubleData?: readonly number[];
  /** The values lie in another file. */
  readonly external?: boolean;
}

/** TensorProto.DataType: each code's name in ONNX. */
export const dataTypeNames: Readonly<Record<number, string>> = {
  1: "float",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "double",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
  24: "float8e8m0",
  25: "uint2",
  26: "int2",
};

export function dataTypeName(code: number | undefined): string {
  return code === undefined ? "no type" : (dataTypeNames[code] ?? `type ${code}`);
}

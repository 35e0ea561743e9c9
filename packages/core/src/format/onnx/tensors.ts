import { SlidelightError } from "../../errors/slidelight-error.ts";
import { numberOfFloat16 } from "../../graph/float16.ts";
import { sizeOf, tensorOf, tensorOver } from "../../graph/tensor.ts";
import type { ElementType, Tensor } from "../../graph/tensor.ts";
import { dataTypeName } from "./proto.ts";
import type { TensorProto } from "./proto.ts";

/**
 * How values of each ONNX type are held. Other floating-point types become float32: the network computes in the type of
 * the engine, and the file's type is one of storage.
 */
const elementTypes: Readonly<Record<number, ElementType>> = {
  1: "float32",
  2: "uint8",
  4: "uint16",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float32",
  11: "float32",
  16: "float32",
};

const dataTypes: { readonly [T in ElementType]: number } = {
  float32: 1,
  uint8: 2,
  uint16: 4,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

/** The type in which values of an ONNX data type are held; `undefined` for one that is not supported. */
export function elementTypeOf(dataType: number | undefined): ElementType | undefined {
  return dataType === undefined ? undefined : elementTypes[dataType];
}

export function dataTypeOf(type: ElementType): number {
  return dataTypes[type];
}

/**
 * The values of a tensor in a file; `subject` names it in messages.
 * @throws {SlidelightError} `model-unreadable` for data that lie in another file or do not fill the shape,
 * `model-operator` for an element type that is not supported.
 */
export function decodeTensor(proto: TensorProto, subject: string): Tensor {
  if (proto.external === true) {
    throw new SlidelightError(
      "model-unreadable",
      `${subject} keeps its values in another file. Save the model as one file (in Python: onnx.save(onnx.load(path), path, save_as_external_data=False)).`,
      { detail: { tensor: proto.name } },
    );
  }
  const type = elementTypeOf(proto.dataType);
  if (type === undefined) {
    throw new SlidelightError(
      "model-operator",
      `${subject} has the element type ${dataTypeName(proto.dataType)}; supported are float, double, float16, bfloat16, int64, int32, uint16, uint8 and bool.`,
      { detail: { tensor: proto.name, type: dataTypeName(proto.dataType) } },
    );
  }
  const size = sizeOf(proto.dims);
  const count = valueCount(proto);
  if (count !== size) {
    throw new SlidelightError(
      "model-unreadable",
      `${subject} has the shape [${proto.dims.join(", ")}] and so ${size} values, got ${count}. The file is damaged: export the model again.`,
      { detail: { tensor: proto.name } },
    );
  }
  return proto.rawData === undefined ? fromLists(proto, type) : fromRaw(proto.rawData, proto, type);
}

const bytesPerValue: Readonly<Record<number, number>> = { 1: 4, 2: 1, 4: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 16: 2 };

function valueCount(proto: TensorProto): number {
  if (proto.rawData !== undefined) return proto.rawData.length / (bytesPerValue[proto.dataType] ?? 1);
  const { floatData = [], int32Data = [], int64Data = [], doubleData = [] } = proto;
  return floatData.length + int32Data.length + int64Data.length + doubleData.length;
}

/** Codes of the types whose values are not simply a typed array's. */
const float16 = 10;
const double = 11;
const bfloat16 = 16;

function fromRaw(raw: Uint8Array, proto: TensorProto, type: ElementType): Tensor {
  // A copy: raw data lie at any offset in the file, a typed array only at multiples of its element's size.
  const { buffer } = Uint8Array.from(raw);
  const shape = proto.dims;
  if (proto.dataType === double) return { type: "float32", shape, data: Float32Array.from(new Float64Array(buffer)) };
  if (proto.dataType === float16) return tensorOf("float32", shape, fromBits(new Uint16Array(buffer), numberOfFloat16));
  if (proto.dataType === bfloat16) return tensorOf("float32", shape, fromBits(new Uint16Array(buffer), brainToNumber));
  return tensorOver(type, shape, buffer);
}

function fromLists(proto: TensorProto, type: ElementType): Tensor {
  const { dims: shape, floatData = [], int32Data = [], int64Data = [], doubleData = [] } = proto;
  if (type === "int64") return { type, shape, data: BigInt64Array.from(int64Data) };
  if (proto.dataType === float16) return tensorOf(type, shape, fromBits(int32Data, numberOfFloat16));
  if (proto.dataType === bfloat16) return tensorOf(type, shape, fromBits(int32Data, brainToNumber));
  const values = [floatData, int32Data, doubleData].find((list) => list.length > 0) ?? [];
  return tensorOf(type, shape, values);
}

function fromBits(bits: ArrayLike<number>, toNumber: (bits: number) => number): Float32Array {
  return Float32Array.from({ length: bits.length }, (_, index) => toNumber(bits[index] ?? 0));
}

const brainBits = new Uint32Array(1);
const brainValue = new Float32Array(brainBits.buffer);

/** bfloat16 is the upper half of a binary32. */
function brainToNumber(bits: number): number {
  brainBits[0] = bits << 16;
  return brainValue[0] ?? 0;
}

/** A tensor as a file holds it. */
export function encodeTensor(tensor: Tensor, name: string): TensorProto {
  const { data } = tensor;
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dims: tensor.shape, dataType: dataTypeOf(tensor.type), rawData };
}

import protobuf from "protobufjs/minimal.js";
import type {
  AttributeProto,
  AttributeValue,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSet,
  TensorProto,
  ValueInfo,
} from "./proto.ts";

type Reader = protobuf.Reader;

/** Wire types of protocol buffers that ONNX's fields have. */
const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;

/** Reads one occurrence of a field, whose wire type is given because a repeated number may be packed or not. */
type FieldReader = (reader: Reader, wire: number) => void;
type Fields = Readonly<Record<number, FieldReader>>;

function readFields(reader: Reader, end: number, fields: Fields): void {
  while (reader.pos < end) {
    const tag = reader.tag();
    const wire = tag & 7;
    const field = fields[tag >>> 3];
    if (field === undefined) reader.skipType(wire, 0, tag >>> 3);
    else field(reader, wire);
  }
  if (reader.pos !== end) throw new RangeError(`A message ends at byte ${end}, its fields at byte ${reader.pos}.`);
}

function expectWire(wire: number, expected: number): void {
  if (wire !== expected) throw new RangeError(`A field has wire type ${wire}, expected ${expected}.`);
}

function scalarField<T>(expected: number, read: (reader: Reader) => T, set: (value: T) => void): FieldReader {
  return (reader, wire) => {
    expectWire(wire, expected);
    set(read(reader));
  };
}

const integer = (set: (value: number) => void): FieldReader => scalarField(varint, readInteger, set);
const text = (set: (value: string) => void): FieldReader => scalarField(delimited, (reader) => reader.string(), set);
const bytes = (set: (value: Uint8Array) => void): FieldReader =>
  scalarField(delimited, (reader) => reader.bytes(), set);

/** Numbers one by one, or packed into one run of bytes. */
function numbers<T>(expected: number, read: (reader: Reader) => T, into: T[]): FieldReader {
  return (reader, wire) => {
    if (wire === expected) {
      into.push(read(reader));
      return;
    }
    expectWire(wire, delimited);
    const end = endOfRun(reader);
    while (reader.pos < end) into.push(read(reader));
  };
}

function message<T>(read: (reader: Reader, end: number) => T, set: (value: T) => void): FieldReader {
  return (reader, wire) => {
    expectWire(wire, delimited);
    set(read(reader, endOfRun(reader)));
  };
}

function endOfRun(reader: Reader): number {
  const length = reader.size();
  const end = reader.pos + length;
  if (end > reader.len)
    throw new RangeError(`A field of ${length} bytes ends ${end - reader.len} bytes after the file.`);
  return end;
}

function readBigInteger(reader: Reader): bigint {
  const value = reader.int64();
  return typeof value === "number" ? BigInt(value) : (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

function readInteger(reader: Reader): number {
  return Number(readBigInteger(reader));
}

/**
 * Decodes the bytes of an ONNX file. Tensors' raw data stay views of `data`.
 * @throws RangeError or Error of the decoder when the bytes are no such message.
 */
export function readModelProto(data: Uint8Array): ModelProto {
  const reader = protobuf.Reader.create(data);
  let irVersion = 0;
  let producerName = "";
  let graph: GraphProto | undefined;
  const opsets: OperatorSet[] = [];
  const metadata: Record<string, string> = {};
  readFields(reader, reader.len, {
    1: integer((value) => (irVersion = value)),
    2: text((value) => (producerName = value)),
    7: message(readGraph, (value) => (graph = value)),
    8: message(readOperatorSet, (value) => opsets.push(value)),
    14: message(readEntry, ([key, value]) => (metadata[key] = value)),
  });
  return { irVersion, producerName, graph, opsets, metadata };
}

/** Decodes a lone tensor (a `.pb` file of the standard's tests). */
export function readTensorProto(data: Uint8Array): TensorProto {
  const reader = protobuf.Reader.create(data);
  return readTensor(reader, reader.len);
}

function readOperatorSet(reader: Reader, end: number): OperatorSet {
  let domain = "";
  let version = 0;
  readFields(reader, end, {
    1: text((value) => (domain = value)),
    2: integer((value) => (version = value)),
  });
  return { domain, version };
}

function readEntry(reader: Reader, end: number): readonly [string, string] {
  let key = "";
  let value = "";
  readFields(reader, end, {
    1: text((read) => (key = read)),
    2: text((read) => (value = read)),
  });
  return [key, value];
}

function readGraph(reader: Reader, end: number): GraphProto {
  let name = "";
  let sparseInitializers = 0;
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  readFields(reader, end, {
    1: message(readNode, (value) => nodes.push(value)),
    2: text((value) => (name = value)),
    5: message(readTensor, (value) => initializers.push(value)),
    11: message(readValueInfo, (value) => inputs.push(value)),
    12: message(readValueInfo, (value) => outputs.push(value)),
    15: bytes(() => (sparseInitializers += 1)),
  });
  return { name, nodes, initializers, sparseInitializers, inputs, outputs };
}

function readNode(reader: Reader, end: number): NodeProto {
  let name = "";
  let operator = "";
  let domain = "";
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: AttributeProto[] = [];
  readFields(reader, end, {
    1: text((value) => inputs.push(value)),
    2: text((value) => outputs.push(value)),
    3: text((value) => (name = value)),
    4: text((value) => (operator = value)),
    5: message(readAttribute, (value) => attributes.push(value)),
    7: text((value) => (domain = value)),
  });
  return { name, operator, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
}

/** AttributeProto.AttributeType of the kinds in use. */
const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const;

function readAttribute(reader: Reader, end: number): AttributeProto {
  let name = "";
  let type = 0;
  let float = 0;
  let int = 0;
  let string = "";
  let tensor: TensorProto | undefined;
  const floats: number[] = [];
  const ints: number[] = [];
  const strings: string[] = [];
  const decoder = new TextDecoder();
  readFields(reader, end, {
    1: text((value) => (name = value)),
    2: scalarField(
      fixed32,
      (from) => from.float(),
      (value) => (float = value),
    ),
    3: integer((value) => (int = value)),
    4: bytes((value) => (string = decoder.decode(value))),
    5: message(readTensor, (value) => (tensor = value)),
    7: numbers(fixed32, (from) => from.float(), floats),
    8: numbers(varint, readInteger, ints),
    9: bytes((value) => strings.push(decoder.decode(value))),
    20: integer((value) => (type = value)),
  });
  const values: Readonly<Record<number, AttributeValue | undefined>> = {
    [attributeTypes.float]: { kind: "float", value: float },
    [attributeTypes.int]: { kind: "int", value: int },
    [attributeTypes.string]: { kind: "string", value: string },
    [attributeTypes.tensor]: tensor === undefined ? undefined : { kind: "tensor", value: tensor },
    [attributeTypes.floats]: { kind: "floats", value: floats },
    [attributeTypes.ints]: { kind: "ints", value: ints },
    [attributeTypes.strings]: { kind: "strings", value: strings },
  };
  return { name, value: values[type] ?? { kind: "other" } };
}

function readValueInfo(reader: Reader, end: number): ValueInfo {
  let name = "";
  let type: Pick<ValueInfo, "dataType" | "shape"> = { dataType: undefined, shape: undefined };
  readFields(reader, end, {
    1: text((value) => (name = value)),
    2: message(readType, (value) => (type = value)),
  });
  return { name, ...type };
}

function readType(reader: Reader, end: number): Pick<ValueInfo, "dataType" | "shape"> {
  let dataType: number | undefined;
  let shape: ValueInfo["shape"];
  const readTensorType = (from: Reader, until: number): void =>
    readFields(from, until, {
      1: integer((value) => (dataType = value)),
      2: message(readShape, (value) => (shape = value)),
    });
  readFields(reader, end, { 1: message(readTensorType, () => undefined) });
  return { dataType, shape };
}

function readShape(reader: Reader, end: number): readonly (number | string | undefined)[] {
  const shape: (number | string | undefined)[] = [];
  const readDimension = (from: Reader, until: number): number | string | undefined => {
    let dimension: number | string | undefined;
    readFields(from, until, {
      1: integer((value) => (dimension = value)),
      2: text((value) => (dimension = value)),
    });
    return dimension;
  };
  readFields(reader, end, { 1: message(readDimension, (value) => shape.push(value)) });
  return shape;
}

function readTensor(reader: Reader, end: number): TensorProto {
  let name = "";
  let dataType = 0;
  let rawData: Uint8Array | undefined;
  let location = 0;
  const dims: number[] = [];
  const floatData: number[] = [];
  const int32Data: number[] = [];
  const int64Data: bigint[] = [];
  const doubleData: number[] = [];
  readFields(reader, end, {
    1: numbers(varint, readInteger, dims),
    2: integer((value) => (dataType = value)),
    4: numbers(fixed32, (from) => from.float(), floatData),
    5: numbers(varint, readInteger, int32Data),
    7: numbers(varint, readBigInteger, int64Data),
    8: text((value) => (name = value)),
    9: bytes((value) => (rawData = value)),
    10: numbers(fixed64, (from) => from.double(), doubleData),
    14: integer((value) => (location = value)),
  });
  const raw = rawData === undefined ? {} : { rawData };
  return { name, dims, dataType, ...raw, floatData, int32Data, int64Data, doubleData, external: location === 1 };
}

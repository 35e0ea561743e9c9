import protobuf from "protobufjs/minimal.js";
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfo } from "./proto.ts";

type Writer = protobuf.Writer;

const varint = 0;
const delimited = 2;
const fixed32 = 5;

function integer(writer: Writer, field: number, value: number): void {
  writer.uint32((field << 3) | varint).int64(value);
}

function text(writer: Writer, field: number, value: string): void {
  writer.uint32((field << 3) | delimited).string(value);
}

function message<T>(writer: Writer, field: number, value: T, write: (writer: Writer, value: T) => void): void {
  writer.uint32((field << 3) | delimited).fork();
  write(writer, value);
  writer.ldelim();
}

/** Encodes a model: the inverse of `readModelProto`, with every tensor's values as raw data. */
export function writeModelProto(model: ModelProto): Uint8Array {
  const writer = protobuf.Writer.create();
  integer(writer, 1, model.irVersion);
  text(writer, 2, model.producerName);
  if (model.graph !== undefined) message(writer, 7, model.graph, writeGraph);
  for (const { domain, version } of model.opsets) {
    message(writer, 8, version, () => {
      text(writer, 1, domain);
      integer(writer, 2, version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata)) {
    message(writer, 14, value, () => {
      text(writer, 1, key);
      text(writer, 2, value);
    });
  }
  return writer.finish();
}

function writeGraph(writer: Writer, graph: GraphProto): void {
  for (const node of graph.nodes) message(writer, 1, node, writeNode);
  text(writer, 2, graph.name);
  for (const tensor of graph.initializers) message(writer, 5, tensor, writeTensor);
  for (const input of graph.inputs) message(writer, 11, input, writeValueInfo);
  for (const output of graph.outputs) message(writer, 12, output, writeValueInfo);
}

function writeNode(writer: Writer, node: NodeProto): void {
  for (const name of node.inputs) text(writer, 1, name);
  for (const name of node.outputs) text(writer, 2, name);
  text(writer, 3, node.name);
  text(writer, 4, node.operator);
  for (const attribute of node.attributes) message(writer, 5, attribute, writeAttribute);
  if (node.domain !== "") text(writer, 7, node.domain);
}

function writeAttribute(writer: Writer, { name, value }: AttributeProto): void {
  text(writer, 1, name);
  switch (value.kind) {
    case "float":
      writer.uint32((2 << 3) | fixed32).float(value.value);
      return integer(writer, 20, 1);
    case "int":
      integer(writer, 3, value.value);
      return integer(writer, 20, 2);
    case "string":
      text(writer, 4, value.value);
      return integer(writer, 20, 3);
    case "tensor":
      message(writer, 5, value.value, writeTensor);
      return integer(writer, 20, 4);
    case "floats":
      for (const item of value.value) writer.uint32((7 << 3) | fixed32).float(item);
      return integer(writer, 20, 6);
    case "ints":
      for (const item of value.value) integer(writer, 8, item);
      return integer(writer, 20, 7);
    case "strings":
      for (const item of value.value) text(writer, 9, item);
      return integer(writer, 20, 8);
    case "other":
      throw new TypeError(`The attribute "${name}" has a kind that can't be written.`);
    default:
      return value satisfies never;
  }
}

function writeValueInfo(writer: Writer, value: ValueInfo): void {
  text(writer, 1, value.name);
  message(writer, 2, value, () =>
    message(writer, 1, value, () => {
      if (value.dataType !== undefined) integer(writer, 1, value.dataType);
      if (value.shape !== undefined) message(writer, 2, value.shape, writeShape);
    }),
  );
}

function writeShape(writer: Writer, shape: readonly (number | string | undefined)[]): void {
  for (const extent of shape) {
    message(writer, 1, extent, () => {
      if (typeof extent === "number") integer(writer, 1, extent);
      else if (extent !== undefined) text(writer, 2, extent);
    });
  }
}

function writeTensor(writer: Writer, tensor: TensorProto): void {
  if (tensor.rawData === undefined) throw new TypeError(`The tensor "${tensor.name}" has no raw data to write.`);
  for (const extent of tensor.dims) integer(writer, 1, extent);
  integer(writer, 2, tensor.dataType);
  text(writer, 8, tensor.name);
  writer.uint32((9 << 3) | delimited).bytes(tensor.rawData);
}

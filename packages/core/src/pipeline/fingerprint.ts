import { createHash } from "node:crypto";
import { attributesKey } from "../graph/attributes-key.ts";
import { topologicalOrder } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import type { Tensor } from "../graph/tensor.ts";
import { digestOfBytes } from "../io/digest-of-bytes.ts";

/**
 * Names a graph by all that it computes, SHA-256 in hexadecimal: graphs that were built apart have one name if they are equal, such as
 * those of two images' inner tiles. What inputs and outputs are called counts, what other values are called does not.
 */
export function fingerprint(graph: Graph): string {
  const hash = createHash("sha256");
  const places = new Map<Node, number>();
  for (const node of topologicalOrder(Object.values(graph.outputs))) {
    const operands = node.inputs.map((operand) => (operand === undefined ? -1 : places.get(operand)));
    hash.update(`${node.op} ${operands.join()} ${node.type} ${node.shape.join()} ${detailOf(node)}\n`);
    places.set(node, places.size);
  }
  for (const [name, node] of Object.entries(graph.outputs))
    hash.update(`${JSON.stringify(name)} ${places.get(node)}\n`);
  return hash.digest("hex");
}

function detailOf(node: Node): string {
  if (node.op === "Constant") return digestOf(node.attributes.tensor);
  const name = node.op === "Input" ? JSON.stringify(node.name) : "";
  return name + attributesKey(node.attributes);
}

function digestOf({ data }: Tensor): string {
  return digestOfBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

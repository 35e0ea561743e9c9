import { attributesKey } from "./attributes-key.ts";
import { graphOf, operandsOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { remembered } from "./remembered.ts";
import { mapNodes, rewrite } from "./rewrite.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The same graph with each value computed once: nodes of one operator, with the same attributes and operands, become the
 * first of them, bottom-up. Inputs of one name are one value, so that the outputs of several methods' graphs, put into
 * one graph, share their forward pass.
 */
export function shareCommon(graph: Graph): Graph {
  const roots = Object.values(graph.outputs);
  const identities = new Map<Node, number>();
  const known = new Map<string, Node>();
  const tensorKey = tensorKeys();
  const share = (node: Node): Node => {
    const operands = operandsOf(node).map((operand) => identities.get(operand) ?? -1);
    const own =
      node.op === "Constant"
        ? tensorKey(node.attributes.tensor)
        : node.op === "Input"
          ? `${node.name} ${attributesKey(node.attributes)}`
          : attributesKey(node.attributes);
    const key = `${node.op} ${node.inputs.length} ${operands.join(",")} ${own}`;
    const first = known.get(key);
    if (first !== undefined) return first;
    known.set(key, node);
    identities.set(node, identities.size);
    return node;
  };
  return graphOf(mapNodes(graph.outputs, rewrite(roots, share)));
}

/** Tensors of equal type, shape and elements have the same key. */
function tensorKeys(): (tensor: Tensor) => string {
  const seen = new Map<string, { readonly tensor: Tensor; readonly key: string }[]>();
  const keys = new Map<Tensor["data"], Map<string, string>>();
  return (tensor) => {
    const kind = `${tensor.type} [${tensor.shape.join(",")}]`;
    const ofData = keys.get(tensor.data) ?? new Map<string, string>();
    keys.set(tensor.data, ofData);
    const cached = ofData.get(kind);
    if (cached !== undefined) return cached;
    const bucketKey = `${kind} ${digestOf(tensor.data)}`;
    const bucket = seen.get(bucketKey) ?? [];
    seen.set(bucketKey, bucket);
    const same = bucket.find((candidate) => haveSameElements(candidate.tensor, tensor));
    const key = same?.key ?? `${bucketKey} ${bucket.length}`;
    if (same === undefined) bucket.push({ tensor, key });
    ofData.set(kind, key);
    return key;
  };
}

/** Bit by bit: 0 and -0 differ. */
function haveSameElements(first: Tensor, second: Tensor): boolean {
  const others = wordsOf(second.data);
  return wordsOf(first.data).every((word, index) => word === others[index]);
}

/** Tells most unequal tensors apart; equal ones are compared element by element. A model's weights are looked at by every program that is made of it. */
const digestOf = remembered((data: Tensor["data"]): number => {
  let digest = 0;
  for (const word of wordsOf(data)) digest = (Math.imul(digest, 31) + word) | 0;
  return digest;
});

/** The elements' bits in whole words, or in bytes where they are no whole words; of tensors of one type and shape, alike. */
function wordsOf({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT }: Tensor["data"]): Int32Array | Uint8Array {
  return BYTES_PER_ELEMENT % 4 === 0
    ? new Int32Array(buffer, byteOffset, byteLength / 4)
    : new Uint8Array(buffer, byteOffset, byteLength);
}

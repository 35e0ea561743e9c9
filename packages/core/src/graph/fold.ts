import { constant } from "./build.ts";
import { graphOf, operandsOf } from "./graph.ts";
import type { Node } from "./node.ts";
import { evaluate, roundedTensor } from "./reference.ts";
import type { ReferenceTensor } from "./reference.ts";
import { sizeOf } from "./tensor.ts";
import type { ElementType } from "./tensor.ts";

/** A value up to this size is computed here and now, though it be larger than what it is computed from. */
const alwaysFolded = 2 ** 16;

/** Limits of an index that may stand for "to the end": beyond any extent, and within int64 whatever is added to it. */
const farthest = 2 ** 62;

/**
 * The node as a Constant, computed by the reference rules, where nothing that it depends on is given at run time; else
 * the node itself. A value much larger than its operands (an image-sized expansion) stays as it is.
 */
export function foldedConstant(node: Node): Node {
  if (node.op === "Constant") return node;
  const leaves = constantLeaves(node);
  if (leaves === undefined) return node;
  const given = leaves.reduce((total, leaf) => total + sizeOf(leaf.shape), 0);
  if (sizeOf(node.shape) > Math.max(given, alwaysFolded)) return node;
  const { value } = evaluate(graphOf({ value: node }), {});
  if (value === undefined) return node;
  return constant(roundedTensor(withinType(value, node.type), node.type), { name: node.name });
}

/** The Constants that the node depends on; `undefined` as soon as it depends on anything else. */
function constantLeaves(node: Node): readonly Node[] | undefined {
  const leaves: Node[] = [];
  const seen = new Set<Node>();
  const open: Node[] = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (next.op === "Constant") leaves.push(next);
    else if (next.op === "Input" || next.op === "Coordinate") return undefined;
    else open.push(...operandsOf(next));
  }
  return leaves;
}

function withinType(value: ReferenceTensor, type: ElementType): ReferenceTensor {
  if (type !== "int64") return value;
  return { ...value, data: value.data.map((x) => Math.min(Math.max(x, -farthest), farthest)) };
}

import { attributesKey } from "./attributes-key.ts";
import { constant } from "./build.ts";
import { graphOf, operandsOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { evaluate, roundedTensor } from "./reference.ts";
import { rememberedByName } from "./remembered.ts";
import { mapNodes, rewrite } from "./rewrite.ts";
import { sizeOf } from "./tensor.ts";
import type { Tensor } from "./tensor.ts";

export interface FoldOptions {
  /** The most elements that a Constant made here may have. Default: 4,194,304 (16 MiB of float32). */
  readonly maximumElements?: number;
}

const defaultMaximumElements = 4 * 1024 * 1024;

/**
 * The same graph with every value that follows from Constants alone made a Constant, rounded to its type at each step
 * as an engine would. What would be larger than the limit stays a node, as do Coordinates, whose value is a matter of
 * where in the image the graph runs, and Pads, which may stand for a border in an image of nothing else.
 */
export function foldConstants(graph: Graph, options: FoldOptions = {}): Graph {
  const { maximumElements = defaultMaximumElements } = options;
  const fold = (node: Node): Node => {
    const operands = operandsOf(node);
    if (operands.length === 0 || node.op === "Pad" || sizeOf(node.shape) > maximumElements) return node;
    return operands.every((operand) => operand.op === "Constant") ? computed(node) : node;
  };
  return graphOf(mapNodes(graph.outputs, rewrite(Object.values(graph.outputs), fold)));
}

/** A value up to this size is computed by `foldedConstant`, though it be larger than what it is computed from. */
const alwaysFolded = 2 ** 16;

/**
 * The node as a Constant, rounded to its type once, where nothing that it depends on is given at run time; else the node
 * itself. A value much larger than what it is computed from (an image-sized expansion) stays as it is.
 */
export function foldedConstant(node: Node): Node {
  if (node.op === "Constant") return node;
  const leaves = constantLeaves(node);
  if (leaves === undefined) return node;
  const given = leaves.reduce((total, leaf) => total + sizeOf(leaf.shape), 0);
  return sizeOf(node.shape) > Math.max(given, alwaysFolded) ? node : computed(node);
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

/**
 * What was made of a tensor, by what was done: the gradient of a model flips the same kernels for every image. The tensors
 * hold it, so it goes with the model.
 */
const computedFrom = rememberedByName<Tensor>();

/** The Constant that a node without inputs amounts to. */
function computed(node: Node): Node {
  const [operand, ...others] = operandsOf(node);
  if (operand?.op !== "Constant" || others.length > 0) return constant(evaluated(node), { name: node.name });
  const done = `${node.op} ${attributesKey(node.attributes)}`;
  const tensor = computedFrom(operand.attributes.tensor, done, () => evaluated(node));
  return constant(tensor, { name: node.name });
}

function evaluated(node: Node): Tensor {
  const { value } = evaluate(graphOf({ value: node }), {});
  if (value === undefined) throw new RangeError(`Folding ${node.op} "${node.name}": it has no value.`);
  return roundedTensor(value, node.type);
}

import { constant } from "./build.ts";
import { graphOf, operandsOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import type { ValueOf } from "./reference/rule.ts";
import { evaluateNode, roundedTensor } from "./reference.ts";
import { mapNodes, rewrite } from "./rewrite.ts";
import { sizeOf } from "./tensor.ts";

export interface FoldOptions {
  /** The most elements that a Constant made here may have. Default: 4,194,304 (16 MiB of float32). */
  readonly maximumElements?: number;
}

const defaultMaximumElements = 4 * 1024 * 1024;

/**
 * The same graph with every value that follows from Constants alone made a Constant, rounded to its type at each step
 * as an engine would. What would be larger than the limit stays a node, as do Coordinates, whose value is a matter of
 * where in the image the graph runs.
 */
export function foldConstants(graph: Graph, options: FoldOptions = {}): Graph {
  const { maximumElements = defaultMaximumElements } = options;
  const fold = (node: Node): Node => {
    const operands = operandsOf(node);
    if (operands.length === 0 || sizeOf(node.shape) > maximumElements) return node;
    return operands.every((operand) => operand.op === "Constant") ? folded(node) : node;
  };
  return graphOf(mapNodes(graph.outputs, rewrite(Object.values(graph.outputs), fold)));
}

/** The Constant that a node of Constants amounts to. */
function folded(node: Node): Node {
  const valueOf: ValueOf = (value) => evaluateNode(value, valueOf);
  return constant(roundedTensor({ shape: node.shape, data: valueOf(node) }, node.type), { name: node.name });
}

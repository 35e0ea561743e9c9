import { add, exp, log, reduceMax, reduceSum, sub } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import { mapNodes, rewrite } from "../graph/rewrite.ts";
import type { OperatorName } from "../graph/vocabulary.ts";

/** What an engine gets instead of an operator that it computes otherwise than ONNX says, or slowly. */
export type Rewrites = { readonly [O in OperatorName]?: (node: NodeOf<O>) => Node };

function applied<O extends OperatorName>(node: NodeOf<O>, rewrites: Rewrites): Node | undefined {
  const rule: Rewrites[O] = rewrites[node.op];
  return rule?.(node);
}

/** The same function in other operators; inputs and outputs keep their names and order. */
export function rewritten(graph: Graph, rewrites: Rewrites): Graph {
  if (Object.keys(rewrites).length === 0) return graph;
  const map = rewrite(Object.values(graph.outputs), (node) => applied(node, rewrites) ?? node);
  return { ...graphOf(mapNodes(graph.outputs, map)), inputs: graph.inputs };
}

/** Without exponentials of large values, which overflow, and without its own operator, which keeps too few axes in OpenVINO. */
export function shiftedLogSumExp({ inputs: [x], attributes: { axes } }: NodeOf<"ReduceLogSumExp">): Node {
  const max = reduceMax(x, axes);
  return add(max, log(reduceSum(exp(sub(x, max)), axes)));
}

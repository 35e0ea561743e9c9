import { add, exp, log, reduceMax, reduceSum, sub } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { mapNodes, rewrite } from "../../graph/rewrite.ts";
import type { OperatorName } from "../../graph/vocabulary.ts";

type Rewrites = { readonly [O in OperatorName]?: (node: NodeOf<O>) => Node };

/** What OpenVINO 2026.4 computes otherwise than ONNX says, in operators that it computes right. */
const rewrites: Rewrites = {
  // Of four axes it keeps too few.
  ReduceLogSumExp: ({ inputs: [x], attributes: { axes } }) => {
    const max = reduceMax(x, axes);
    return add(max, log(reduceSum(exp(sub(x, max)), axes)));
  },
};

function applied<O extends OperatorName>(node: NodeOf<O>): Node | undefined {
  const rule: Rewrites[O] = rewrites[node.op];
  return rule?.(node);
}

/** The same function in what OpenVINO computes right; inputs and outputs keep their names and order. */
export function suited(graph: Graph): Graph {
  const map = rewrite(Object.values(graph.outputs), (node) => applied(node) ?? node);
  return { ...graphOf(mapNodes(graph.outputs, map)), inputs: graph.inputs };
}

import { add, exp, log, reduceMax, reduceSum, slice, sub } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { mapNodes, rewrite } from "../../graph/rewrite.ts";
import type { OperatorName } from "../../graph/vocabulary.ts";
import type { Provider } from "./providers.ts";

type Rewrites = { readonly [O in OperatorName]?: (node: NodeOf<O>) => Node };

/** What ONNX Runtime 1.30 computes otherwise than ONNX says, in operators that it computes right. */
const rewrites: { readonly [P in Provider]: Rewrites } = {
  cpu: {},
  cuda: {},
  tensorrt: {},
  webgpu: {
    /** Exponentials of large values overflow. */
    ReduceLogSumExp: ({ inputs: [x], attributes: { axes } }) => {
      const max = reduceMax(x, axes);
      return add(max, log(reduceSum(exp(sub(x, max)), axes)));
    },
    /** Steps of -2 and beyond give other values; a step of -1, and then one of 2, the right ones. */
    Slice: (node) => {
      const { starts, sizes, steps } = node.attributes;
      if (steps.every((step) => step >= -1)) return node;
      const [x] = node.inputs;
      const spans = sizes.map((size, axis) => {
        const step = steps[axis] ?? 1;
        return step < 0 ? (size - 1) * -step + 1 : (x.shape[axis] ?? 1);
      });
      const turned = slice(x, {
        starts: starts.map((start, axis) => ((steps[axis] ?? 1) < 0 ? start : 0)),
        sizes: spans,
        steps: steps.map((step) => (step < 0 ? -1 : 1)),
      });
      return slice(turned, {
        starts: starts.map((start, axis) => ((steps[axis] ?? 1) < 0 ? 0 : start)),
        sizes,
        steps: steps.map(Math.abs),
      });
    },
  },
};

function applied<O extends OperatorName>(node: NodeOf<O>, provider: Provider): Node | undefined {
  const rule: Rewrites[O] = rewrites[provider][node.op];
  return rule?.(node);
}

/** The same function in what the provider computes right; inputs and outputs keep their names and order. */
export function suited(graph: Graph, provider: Provider): Graph {
  if (Object.keys(rewrites[provider]).length === 0) return graph;
  const map = rewrite(Object.values(graph.outputs), (node) => applied(node, provider) ?? node);
  return { ...graphOf(mapNodes(graph.outputs, map)), inputs: graph.inputs };
}

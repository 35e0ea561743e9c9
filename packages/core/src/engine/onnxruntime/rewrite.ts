import { add, conv, exp, log, reduceMax, reduceSum, slice, sub } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { mapNodes, rewrite } from "../../graph/rewrite.ts";
import type { OperatorName, Pads } from "../../graph/vocabulary.ts";
import type { Provider } from "./providers.ts";

type Rewrites = { readonly [O in OperatorName]?: (node: NodeOf<O>) => Node };

/** What lies around a convolution's input: its own pads, and those of a Pad before it, which ONNX Runtime joins with them. */
function padsAround({ inputs: [x], attributes }: NodeOf<"Conv">): { readonly inner: Node; readonly pads: Pads } {
  const { pads } = attributes;
  if (x.op !== "Pad" || x.attributes.mode !== "constant" || x.attributes.value !== 0) return { inner: x, pads };
  const { before, after } = x.attributes;
  const joined = {
    top: pads.top + (before[2] ?? 0),
    left: pads.left + (before[3] ?? 0),
    bottom: pads.bottom + (after[2] ?? 0),
    right: pads.right + (after[3] ?? 0),
  };
  return { inner: x.inputs[0], pads: joined };
}

/**
 * WebGPU takes a convolution for a product of matrices where the kernel is one pixel, or as large as the image, and no pads lie
 * *before* it: those behind it are forgotten. One row more above, which is cut off again, keeps it from that.
 */
function withPadsBehind(node: NodeOf<"Conv">): Node {
  const [x, weight, bias] = node.inputs;
  const { attributes } = node;
  const { inner, pads } = padsAround(node);
  const [height, width] = weight.shape.slice(2);
  const pixel = height === 1 && width === 1;
  const whole = height === inner.shape[2] && width === inner.shape[3];
  if (!(pixel || whole) || pads.top + pads.left > 0 || pads.bottom + pads.right === 0) return node;
  const [stride] = attributes.strides;
  const taller = conv(x, weight, bias, { ...attributes, pads: { ...attributes.pads, top: stride } });
  return slice(taller, { starts: [0, 0, 1, 0], sizes: node.shape });
}

/** What ONNX Runtime 1.30 computes otherwise than ONNX says, in operators that it computes right. */
const rewrites: { readonly [P in Provider]: Rewrites } = {
  cpu: {},
  cuda: {},
  tensorrt: {},
  webgpu: {
    Conv: withPadsBehind,
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

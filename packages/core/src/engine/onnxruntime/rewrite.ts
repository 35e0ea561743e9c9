import { conv, convTranspose, slice } from "../../graph/build.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import type { Pads } from "../../graph/vocabulary.ts";
import { rewritten, shiftedLogSumExp } from "../rewritten.ts";
import type { Rewrites } from "../rewritten.ts";
import type { Provider } from "./providers.ts";

/** What lies around a convolution's input: its own pads, and those of a Pad before it, which ONNX Runtime joins with them. */
function padsAround({ inputs: [x], attributes }: NodeOf<"Conv">): { readonly inner: Node; readonly pads: Pads } {
  const { pads } = attributes;
  if (x.op !== "Pad" || x.attributes.mode !== "constant" || x.attributes.value !== 0) return { inner: x, pads };
  const { before, after } = x.attributes;
  if ([...before.slice(0, 2), ...after.slice(0, 2)].some((extent) => extent !== 0)) return { inner: x, pads };
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

/**
 * cuDNN pads both ends of an axis alike; a convolution that does not is left to the CPU. Pads become as wide as the wider one, and what
 * that adds to the result is cut off again. (A Pad before it would not do: ONNX Runtime joins it with the convolution.)
 */
function withEvenPads(node: NodeOf<"Conv">): Node {
  const [, weight, bias] = node.inputs;
  const { attributes } = node;
  const { inner, pads } = padsAround(node);
  if (isEven(pads)) return node;
  const [down, across] = attributes.strides;
  // What is cut off before the result is a whole number of strides.
  const rows = Math.max(0, Math.ceil((pads.bottom - pads.top) / down));
  const columns = Math.max(0, Math.ceil((pads.right - pads.left) / across));
  const vertical = pads.top + rows * down;
  const horizontal = pads.left + columns * across;
  const even = { top: vertical, bottom: vertical, left: horizontal, right: horizontal };
  const wider = conv(inner, weight, bias, { ...attributes, pads: even });
  return slice(wider, { starts: [0, 0, rows, columns], sizes: node.shape });
}

/** The same for a transposed convolution, whose pads are what is cut off from the result: both ends lose what the narrower one says. */
function withEvenCut(node: NodeOf<"ConvTranspose">): Node {
  const [x, weight, bias] = node.inputs;
  const { attributes } = node;
  const { pads, outputPadding } = attributes;
  const [behind, beside] = [pads.bottom - outputPadding[0], pads.right - outputPadding[1]];
  const isPlain = isEven(pads) && outputPadding.every((extent) => extent === 0);
  if (isPlain || behind < 0 || beside < 0) return node;
  const [vertical, horizontal] = [Math.min(pads.top, behind), Math.min(pads.left, beside)];
  const even = { top: vertical, bottom: vertical, left: horizontal, right: horizontal };
  const wider = convTranspose(x, weight, bias, { ...attributes, pads: even, outputPadding: [0, 0] });
  return slice(wider, { starts: [0, 0, pads.top - vertical, pads.left - horizontal], sizes: node.shape });
}

function isEven({ top, bottom, left, right }: Pads): boolean {
  return top === bottom && left === right;
}

/** What ONNX Runtime 1.30 computes otherwise than ONNX says, in operators that it computes right. */
const rewrites: { readonly [P in Provider]: Rewrites } = {
  cpu: {},
  cuda: { Conv: withEvenPads, ConvTranspose: withEvenCut, ReduceLogSumExp: shiftedLogSumExp },
  tensorrt: { Conv: withEvenPads, ConvTranspose: withEvenCut, ReduceLogSumExp: shiftedLogSumExp },
  webgpu: {
    Conv: withPadsBehind,
    ReduceLogSumExp: shiftedLogSumExp,
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

/** The same function in what the provider computes right; inputs and outputs keep their names and order. */
export function suited(graph: Graph, provider: Provider): Graph {
  return rewritten(graph, rewrites[provider]);
}

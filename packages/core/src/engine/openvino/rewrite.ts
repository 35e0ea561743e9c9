import { constant, matMul, reduceSum, reshape, transpose } from "../../graph/build.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { float32 } from "../../graph/tensor.ts";
import { rewritten, shiftedLogSumExp } from "../rewritten.ts";
import type { Rewrites } from "../rewritten.ts";

/** Channels from which on its sums over all else are fast. */
const manyChannels = 16;
/** Values of a line where there are fewer. */
const lineLength = 32;

/**
 * A sum over all but few channels, for which its own kernel takes up to ten times as long, and is less exact: a product with ones, of lines
 * in which the channels of several pixels lie side by side.
 */
function summedInLines(node: NodeOf<"ReduceSum"> | NodeOf<"ReduceMean">): Node {
  const [x] = node.inputs;
  const [images = 0, channels = 0, height = 0, width = 0] = x.shape;
  const pixels = lineLength / channels;
  const lines = (height * width) / pixels;
  const few = x.shape.length === 4 && node.attributes.axes.join() === "0,2,3" && channels < manyChannels;
  if (!few || node.type !== "float32" || !Number.isInteger(pixels) || !Number.isInteger(lines)) return node;
  const share = node.op === "ReduceSum" ? 1 : 1 / (images * height * width);
  const ones = constant(float32([1, 1, lines], new Float32Array(lines).fill(share)));
  const sums = matMul(ones, reshape(transpose(x, [0, 2, 3, 1]), [images, lines, lineLength]));
  return reshape(reduceSum(reshape(sums, [images * pixels, channels]), [0]), node.shape);
}

/** What OpenVINO 2026.4 computes otherwise than ONNX says, or slowly, in operators that it computes right and fast. */
const rewrites: Rewrites = {
  ReduceSum: summedInLines,
  ReduceMean: summedInLines,
  ReduceLogSumExp: shiftedLogSumExp,
};

/** The same function in what OpenVINO computes right and fast; inputs and outputs keep their names and order. */
export function suited(graph: Graph): Graph {
  return rewritten(graph, rewrites);
}

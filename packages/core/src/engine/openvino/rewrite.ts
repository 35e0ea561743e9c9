import {
  clip,
  constant,
  conv,
  convTranspose,
  matMul,
  mul,
  reduceSum,
  reshape,
  pad,
  slice,
  transpose,
} from "../../graph/build.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { float32 } from "../../graph/tensor.ts";
import type { Precision } from "../engine.ts";
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

/** The most values of a row that one product adds up. */
const mostInProduct = 1024;
/** Fewer pixels of a row would be more sums than products. */
const fewestPixels = 8;
/** What float32 holds: a limit that limits nothing. */
const largest = 3.4e38;

/**
 * Sums of rows of what a ReLU gives, where values are narrower than float32: in float32, as such sums are at a graph's end, they would keep the
 * convolution before the ReLU from giving the narrow values that all others read, and those would be made of its wide ones. A convolution reads
 * them narrow, and adds up in float32: its kernel is a row of ones for each channel.
 */
function summedRows(node: NodeOf<"ReduceSum">): Node {
  const [x] = node.inputs;
  const [, channels = 0, , width = 0] = x.shape;
  if (!isNarrow(x) || x.shape.length !== 4 || node.attributes.axes.join() !== "3" || node.type !== "float32")
    return node;
  const pixels = pixelsInProduct(width, mostInProduct / channels);
  if (pixels < fewestPixels) return node;
  const ones = new Float32Array(channels * channels * pixels);
  for (let channel = 0; channel < channels; channel += 1) {
    const from = (channel * channels + channel) * pixels;
    ones.fill(1, from, from + pixels);
  }
  const weight = constant(float32([channels, channels, 1, pixels], ones));
  const sums = conv(x, weight, undefined, { strides: [1, pixels] });
  // What is joined with something that is computed wide is given wide; without it, sums would be rounded before they meet.
  return reduceSum(clip(sums, { min: -largest, max: largest }), [3]);
}

/** What a ReLU gives, or a part of it by itself. */
function isNarrow(x: Node): boolean {
  if (x.op === "Relu") return true;
  return x.op === "Mul" && x.inputs.some((factor) => factor.op === "Slice" && factor.inputs[0].op === "Relu");
}

/** Where it can be, the same for all widths: sizes apart, programs are then one. */
function pixelsInProduct(width: number, most: number): number {
  const usual = [16, fewestPixels].find((pixels) => pixels <= most && width % pixels === 0);
  return usual ?? largestDivisor(width, most);
}

function largestDivisor(count: number, most: number): number {
  let divisor = Math.max(1, Math.min(count, Math.floor(most)));
  while (count % divisor !== 0) divisor -= 1;
  return divisor;
}

/** Whether blocks of so many can't be alike, except with one each. */
function isPrime(count: number): boolean {
  if (count < 2) return false;
  for (let divisor = 2; divisor * divisor <= count; divisor += 1) if (count % divisor === 0) return false;
  return true;
}

/**
 * A transposed convolution whose windows are a prime number both down and across takes ten times as long: it computes in blocks, which are
 * then of one window each. One row of windows more, and cut off again.
 */
function withDivisibleRows(node: NodeOf<"ConvTranspose">): Node {
  const [x, weight, bias] = node.inputs;
  const { strides, pads } = node.attributes;
  if (!hasPrimeWindows(node)) return node;
  const [more] = strides;
  const isCutOff = pads.bottom >= more;
  const taller = convTranspose(isCutOff ? x : pad(x, { after: [0, 0, 1, 0] }), weight, bias, {
    ...node.attributes,
    pads: { ...pads, bottom: isCutOff ? pads.bottom - more : pads.bottom },
  });
  return slice(taller, { starts: [0, 0, 0, 0], sizes: node.shape, name: node.name });
}

/** Whether a transposed convolution is slow for its size, so that this must be known. */
export function hasPrimeWindows({ attributes: { strides }, shape }: NodeOf<"ConvTranspose">): boolean {
  return strides.every((stride, axis) => isPrime((shape[axis + 2] ?? 0) / stride));
}

/**
 * A convolution of values that have one factor for each channel, given at run time: its kernel has them instead. In bfloat16, OpenVINO would turn
 * channels that lie last to planes for such a product, and back.
 */
function scaledKernel(node: NodeOf<"Conv">): Node {
  const [x, weight, bias] = node.inputs;
  if (x.op !== "Mul" || node.attributes.group !== 1 || node.type !== "float32") return node;
  const channels = x.shape[1] ?? 0;
  const isFactor = ({ op, shape }: Node): boolean => op === "Input" && shape.join() === [1, channels, 1, 1].join();
  const [factor, rest] = isFactor(x.inputs[0]) ? x.inputs : [x.inputs[1], x.inputs[0]];
  if (!isFactor(factor) || rest.shape.join() !== x.shape.join()) return node;
  return conv(rest, mul(weight, factor), bias, node.attributes);
}

/**
 * A convolution by single pixels that takes only some of them, pads included: OpenVINO takes fewer values in the steps before it, and miscounts the pads. All are
 * computed, and those that are wanted taken.
 */
function thinnedAfterwards(node: NodeOf<"Conv">): Node {
  const [x, weight, bias] = node.inputs;
  const { strides, pads } = node.attributes;
  const isPadded = Object.values(pads).some((amount) => amount > 0);
  const isOfPixels = weight.shape.slice(2).every((extent) => extent === 1);
  if (!isOfPixels || !isPadded || strides.every((stride) => stride === 1)) return node;
  const all = conv(x, weight, bias, { ...node.attributes, strides: [1, 1] });
  return slice(all, { starts: [0, 0, 0, 0], sizes: node.shape, steps: [1, 1, ...strides], name: node.name });
}

/** The first of these rules that gives another node. */
function firstOf<N extends Node>(...rules: readonly ((node: N) => Node)[]): (node: N) => Node {
  return (node) => {
    for (const rule of rules) {
      const made = rule(node);
      if (made !== node) return made;
    }
    return node;
  };
}

/** What OpenVINO 2026.4 computes otherwise than ONNX says, or slowly, in operators that it computes right and fast. */
const rewrites: Rewrites = {
  Conv: firstOf(thinnedAfterwards, scaledKernel),
  ConvTranspose: withDivisibleRows,
  ReduceSum: summedInLines,
  ReduceMean: summedInLines,
  ReduceLogSumExp: shiftedLogSumExp,
};

const narrowRewrites: Rewrites = {
  ...rewrites,
  ReduceSum: firstOf(summedRows, summedInLines),
};

const rewritesFor: { readonly [P in Precision]: Rewrites } = {
  float32: rewrites,
  bfloat16: narrowRewrites,
  float16: narrowRewrites,
};

/** The same function in what OpenVINO computes right and fast in this precision; inputs and outputs keep their names and order. */
export function suited(graph: Graph, precision: Precision): Graph {
  return rewritten(graph, rewritesFor[precision]);
}

import { add, concat, conv, convTranspose, noPads, sliceAxis } from "../build.ts";
import { flopsOf } from "../flops.ts";
import type { Node, NodeOf } from "../node.ts";
import { elementsOf } from "../tensor.ts";
import type { Pads, Pair } from "../vocabulary.ts";
import type { Composition } from "./composition.ts";
import { withConstantChannel } from "./constant-channel.ts";
import { folded, kernelProduct, spread, sumOf, throughWeight, turned } from "./kernels.ts";
import type { Kernels } from "./kernels.ts";
import { isDense, plain } from "./plain.ts";

/** A value spread over a finer grid, a kernel for each of its positions; `pads` of that grid are cut off. */
interface Upsampling {
  readonly node: Node;
  readonly x: Node;
  readonly strides: Pair;
  readonly pads: Pads;
  readonly outputPadding: Pair;
  /** Of each kernel. */
  readonly size: Pair;
  readonly bias: Kernels | undefined;
  /** The kernels of this step, and then a convolution with `weight`, in one, where that is worth it for so many FLOP of both. */
  readonly kernels: (weight: Kernels, flops: number) => Kernels | undefined;
}

/** The part of a convolution's operand, and of its weight, that is one of joined values. */
interface Part {
  readonly operand: Node;
  readonly weight: Kernels;
}

/** What a part and the step before it become together. */
interface Composed {
  readonly step: Step;
  /** [O]: the first step's bias behind the second one, where that is the same everywhere. */
  readonly bias: Kernels | undefined;
}

/** One term of a sum, which takes the bias of all of them if it is the first. */
type Step = (bias: Kernels | undefined) => Node;

/**
 * A convolution of what was upsampled, by a ConvTranspose or by repetition, alone or joined with other channels: a ConvTranspose with a
 * larger kernel, of which fewer values meet each output, beside a convolution of the others.
 * @param own Values that one node alone reads.
 */
export function composedUpsampling(
  node: NodeOf<"Conv">,
  own: ReadonlySet<Node>,
  composition: Composition,
): Node | undefined {
  const convolution = plain(node);
  if (convolution === undefined || !isDense(node)) return undefined;
  const others: Part[] = [];
  const composed: Composed[] = [];
  for (const part of partsOf(convolution.x, convolution.weight, own)) {
    const upsampling = upsamplingOf(part.operand, own);
    const both = upsampling && composedWith(upsampling, part, { node, ...composition });
    if (both === undefined) others.push(part);
    else composed.push(both);
  }
  if (composed.length === 0) return undefined;
  const bias = composed.map((part) => part.bias).reduce(sumOf, convolution.bias);
  const steps = composed.map(({ step }) => step);
  // Last: engines add the others' sum while they convolve, and nothing is kept for that meanwhile.
  if (others.length > 0) steps.push(convolved(others, node));
  return steps.map((step, index) => step(index === 0 ? bias : undefined)).reduce((sum, term) => add(sum, term));
}

function partsOf(x: Node, weight: Kernels, own: ReadonlySet<Node>): readonly Part[] {
  const operands = x.op === "Concat" && x.attributes.axis === 1 && own.has(x) ? x.inputs : [x];
  let start = 0;
  return operands.map((operand) => {
    const size = operand.shape[1] ?? 0;
    const part = { operand, weight: folded(sliceAxis(weight, { axis: 1, start, size })) };
    start += size;
    return part;
  });
}

function convolved(parts: readonly Part[], { attributes }: NodeOf<"Conv">): Step {
  const joined = (nodes: readonly Node[]): Node => concat(nodes, 1);
  const x = joined(parts.map(({ operand }) => operand));
  const weight = folded(joined(parts.map((part) => part.weight)));
  return (bias) => conv(x, weight, bias, attributes);
}

function composedWith(
  upsampling: Upsampling,
  part: Part,
  { node, channelMultiple }: Composition & { readonly node: NodeOf<"Conv"> },
): Composed | undefined {
  const { x, strides, outputPadding, size, bias } = upsampling;
  const [, , height = 1, width = 1] = part.weight.shape;
  const pads = composedPads(upsampling.pads, node.attributes.pads, [height, width]);
  if (pads === undefined) return undefined;
  const hasEdges = bias !== undefined && sides.some((side) => node.attributes.pads[side] > 0);
  const isEverywhere = size.every((extent, axis) => extent === strides[axis] && outputPadding[axis] === 0);
  if (hasEdges && !isEverywhere) return undefined;
  const share = (flopsOf(node) * (part.operand.shape[1] ?? 1)) / (node.inputs[0].shape[1] ?? 1);
  const flops = share + flopsOf(upsampling.node);
  // Last: they can take a tenth of a second.
  const kernels = upsampling.kernels(part.weight, flops);
  if (kernels === undefined) return undefined;
  const whole = hasEdges
    ? withConstantChannel({ x, kernels }, { strides, bias, weight: part.weight, channelMultiple })
    : { x, kernels };
  if (whole === undefined) return undefined;
  const step: Step = (own) => convTranspose(whole.x, whole.kernels, own, { strides, pads, outputPadding });
  if (flopsOf(step(undefined)) >= flops) return undefined;
  return { step, bias: hasEdges ? undefined : bias && throughWeight(part.weight, bias) };
}

const sides = ["top", "left", "bottom", "right"] as const;

/**
 * What both steps' transposed convolution leaves out at its border, where the first one leaves out `cut` and the second one, of that kernel,
 * has `pads`; `undefined` where zeros would have to stand for values that were cut off.
 */
function composedPads(cut: Pads, pads: Pads, [height, width]: Pair): Pads | undefined {
  const reach = { top: height - 1, left: width - 1, bottom: height - 1, right: width - 1 };
  if (sides.some((side) => pads[side] > 0 && (cut[side] > 0 || pads[side] > reach[side]))) return undefined;
  const along = (side: keyof Pads): number => cut[side] + reach[side] - pads[side];
  return { top: along("top"), left: along("left"), bottom: along("bottom"), right: along("right") };
}

function upsamplingOf(node: Node, own: ReadonlySet<Node>): Upsampling | undefined {
  if (!own.has(node)) return undefined;
  if (node.op === "Slice") return cropped(node, own);
  if (node.op === "Resize") return repeating(node);
  return node.op === "ConvTranspose" ? transposed(node) : undefined;
}

function transposed(node: NodeOf<"ConvTranspose">): Upsampling | undefined {
  const parts = plain(node);
  if (parts === undefined) return undefined;
  const { strides, pads, outputPadding } = node.attributes;
  const isZero = parts.bias === undefined || elementsOf(parts.bias.attributes.tensor).every((value) => value === 0);
  return {
    node,
    x: parts.x,
    strides,
    pads,
    outputPadding,
    size: [parts.weight.shape[2] ?? 1, parts.weight.shape[3] ?? 1],
    bias: isZero ? undefined : parts.bias,
    kernels: (weight, flops) => kernelProduct(parts.weight, turned(weight), flops),
  };
}

/** Each value several times: a transposed convolution with ones, channel by channel. */
function repeating(node: NodeOf<"Resize">): Upsampling | undefined {
  const { mode, scales, coordinates, rounding } = node.attributes;
  const downwards = coordinates === "asymmetric" && rounding === "floor";
  // No position lies half way between two of the coarse ones.
  const nearest = coordinates === "half_pixel" && rounding.startsWith("round");
  if (mode !== "nearest" || !scales.every(Number.isInteger) || !(downwards || nearest)) return undefined;
  return {
    node,
    x: node.inputs[0],
    strides: scales,
    pads: noPads,
    outputPadding: [0, 0],
    size: scales,
    bias: undefined,
    kernels: (weight) => spread(turned(weight), scales, 1),
  };
}

/** A region of what was upsampled. */
function cropped(node: NodeOf<"Slice">, own: ReadonlySet<Node>): Upsampling | undefined {
  const [whole] = node.inputs;
  const { starts, sizes, steps } = node.attributes;
  const isRegion = [0, 1].every((axis) => sizes[axis] === whole.shape[axis]) && steps.every((step) => step === 1);
  const upsampling = isRegion ? upsamplingOf(whole, own) : undefined;
  if (upsampling === undefined) return undefined;
  const before = (axis: number): number => starts[axis] ?? 0;
  const after = (axis: number): number => (whole.shape[axis] ?? 0) - before(axis) - (sizes[axis] ?? 0);
  const { top, left, bottom, right } = upsampling.pads;
  const pads = { top: top + before(2), left: left + before(3), bottom: bottom + after(2), right: right + after(3) };
  return { ...upsampling, pads };
}

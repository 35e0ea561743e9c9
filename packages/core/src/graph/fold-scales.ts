import { add, conv, mul, reduceSum, reshape } from "./build.ts";
import { foldedConstant } from "./fold-constants.ts";
import { graphOf, operandsOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { mapNodes, rewrite } from "./rewrite.ts";

/**
 * Multiplications and additions by a Constant for each channel that lead into convolutions alone become part of their
 * weights, as a network's normalisation of its input does. Pads stay zeros: a convolution with pads takes a factor, but no
 * term, because at the border the term would be missing from what it sees.
 *
 * Weights are rounded to their type once more. Meant for float32: narrower types hold normalised values better than raw ones.
 */
export function foldScales(graph: Graph): Graph {
  const roots = Object.values(graph.outputs);
  const leading = leadingIntoConvolutions(roots);
  const fold = (node: Node, original: Node): Node => {
    if (original.op !== "Conv" || node.op !== "Conv") return node;
    let folded = node;
    for (let x = original.inputs[0]; leading.has(x); x = imageOperand(x) ?? x) {
      const next = absorbed(folded);
      if (next === undefined) break;
      folded = next;
    }
    return folded;
  };
  return graphOf(mapNodes(graph.outputs, rewrite(roots, fold)));
}

type Affine = NodeOf<"Mul"> | NodeOf<"Add">;

function isAffine(node: Node): node is Affine {
  return node.op === "Mul" || node.op === "Add";
}

/** The side of a Mul or Add that is not the Constant for each channel. */
function imageOperand(node: Node): Node | undefined {
  if (!isAffine(node)) return undefined;
  const [a, b] = node.inputs;
  const image = perChannel(b) ? a : perChannel(a) ? b : undefined;
  return image !== undefined && image.shape.length === 4 && image.shape.join() === node.shape.join()
    ? image
    : undefined;
}

function channelOperand(node: Affine): Node {
  const [a, b] = node.inputs;
  return perChannel(b) ? b : a;
}

/** A Constant with one value, or one for each channel of [N, C, H, W]. */
function perChannel(node: Node): boolean {
  const { shape } = node;
  return node.op === "Constant" && shape.every((extent, axis) => extent === 1 || axis === shape.length - 3);
}

/** Mul and Add nodes all of whose users are convolutions that can take them, or such nodes again. */
function leadingIntoConvolutions(roots: readonly Node[]): ReadonlySet<Node> {
  const order = topologicalOrder(roots);
  const blocked = new Set<Node>(roots);
  const leading = new Set<Node>();
  const paddedSomewhere = new Set<Node>();
  for (const node of order.toReversed()) {
    const image = imageOperand(node);
    const taken = image !== undefined && !blocked.has(node) && !(node.op === "Add" && paddedSomewhere.has(node));
    if (taken) leading.add(node);
    operandsOf(node).forEach((operand, index) => {
      const byConvolution = node.op === "Conv" && index === 0 && isPlain(node);
      const through = taken && operand === image;
      if (!byConvolution && !through) blocked.add(operand);
      if ((byConvolution && isPadded(node)) || (through && paddedSomewhere.has(node))) paddedSomewhere.add(operand);
    });
  }
  return leading;
}

/** Weights and bias that are Constants, no groups. */
function isPlain({ inputs: [, weight, bias], attributes }: NodeOf<"Conv">): boolean {
  return attributes.group === 1 && weight.op === "Constant" && (bias === undefined || bias.op === "Constant");
}

function isPadded({ attributes: { pads } }: NodeOf<"Conv">): boolean {
  return pads.top + pads.bottom + pads.left + pads.right > 0;
}

/** The convolution of what its operand scales or shifts. */
function absorbed(node: NodeOf<"Conv">): NodeOf<"Conv"> | undefined {
  const [affine, weight, bias] = node.inputs;
  const image = imageOperand(affine);
  if (image === undefined || !isAffine(affine)) return undefined;
  const [outputs = 1, channels = 1] = weight.shape;
  const factors = spread(channelOperand(affine), channels);
  const weighted = foldedConstant(mul(weight, factors));
  const result =
    affine.op === "Mul"
      ? conv(image, weighted, bias, { ...node.attributes, name: node.name })
      : conv(image, weight, shifted(reshape(reduceSum(weighted, [1, 2, 3]), [outputs]), bias), {
          ...node.attributes,
          name: node.name,
        });
  return result.op === "Conv" ? result : undefined;
}

function shifted(term: Node, bias: Node | undefined): Node {
  return foldedConstant(bias === undefined ? term : add(term, bias));
}

/** [1, C, 1, 1] or a single value, which broadcasts over a weight [O, C, kh, kw]. */
function spread(constant: Node, channels: number): Node {
  const size = constant.shape.reduce((product, extent) => product * extent, 1);
  return size === channels && channels > 1 ? reshape(constant, [1, channels, 1, 1]) : reshape(constant, [1, 1, 1, 1]);
}

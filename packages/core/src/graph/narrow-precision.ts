import { cast, constant, div, mul } from "./build.ts";
import { graphOf, operandsOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { lazily } from "./lazily.ts";
import { scalable, scaleOf } from "./narrow-scale.ts";
import type { Node } from "./node.ts";
import { remembered } from "./remembered.ts";
import { mapNodes, withOperands } from "./rewrite.ts";
import { elementsOf, tensorOf } from "./tensor.ts";
import type { Tensor } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

/** `always` computed narrower; only `between` such; `wide`: never, for their range or because many values meet. */
type Width = "always" | "between" | "wide";

const widths: { readonly [O in OperatorName]: Width } = {
  Input: "wide",
  Constant: "wide",
  Coordinate: "wide",
  Relu: "between",
  LeakyRelu: "between",
  Sigmoid: "between",
  Tanh: "between",
  Exp: "wide",
  Log: "wide",
  Sqrt: "wide",
  Abs: "between",
  Sign: "wide",
  Floor: "wide",
  Round: "wide",
  Clip: "between",
  Cast: "wide",
  Add: "between",
  Sub: "between",
  Mul: "between",
  Div: "wide",
  Pow: "wide",
  Maximum: "between",
  Minimum: "between",
  Equal: "wide",
  Greater: "wide",
  GreaterOrEqual: "wide",
  Conv: "always",
  ConvTranspose: "always",
  MaxPool: "between",
  MaxPoolGradient: "between",
  AveragePool: "between",
  Resize: "between",
  ResizeGradient: "between",
  Pad: "between",
  Slice: "between",
  Concat: "between",
  Reshape: "between",
  Transpose: "between",
  Expand: "between",
  ReduceSum: "wide",
  ReduceMean: "wide",
  ReduceMax: "wide",
  ReduceMin: "wide",
  ReduceProd: "wide",
  ReduceLogSumExp: "wide",
  ArgMax: "wide",
  MatMul: "wide",
  Softmax: "wide",
};

/**
 * The same function with convolutions, and what lies between them, computed in float16, and everything before the first
 * and after the last of them in float32: normalisation, reductions, outputs. Gradients of a mean over a large image are below
 * float16's smallest number (6e-8): where a value enters that passes linear operators only, it is scaled by a power of
 * two, and what leaves is scaled back.
 */
export function narrowPrecision(graph: Graph, type: "float16"): Graph {
  const order = topologicalOrder(Object.values(graph.outputs));
  const { part, entries, scaled } = scaledPart(order);
  if (part.size === 0) return graph;

  const results = new Map<Node, Node>();
  const casts = new Map<Node, Node>();
  const rebuilt = (node: Node): Node => results.get(node) ?? node;
  const seeds = [...entries];
  const scale = seeds.length === 0 ? undefined : lazily(() => scaleOf(seeds.map(widened)));
  function widened(node: Node): Node {
    const done = casts.get(node);
    if (done !== undefined) return done;
    const value = rebuilt(node);
    if (!part.has(node)) return value;
    const wide = cast(value, "float32");
    const made = scaled.has(node) && scale !== undefined ? div(wide, scale()) : wide;
    casts.set(node, made);
    return made;
  }
  const narrowed = new Map<Node, Node>();
  const narrowedOf = (node: Node): Node => {
    if (part.has(node)) return rebuilt(node);
    const done = narrowed.get(node);
    if (done !== undefined) return done;
    const made = entries.has(node) && scale !== undefined ? mul(rebuilt(node), scale()) : rebuilt(node);
    const cut =
      made.op === "Constant" ? constant(toFloat16(made.attributes.tensor), { name: made.name }) : cast(made, type);
    narrowed.set(node, cut);
    return cut;
  };
  const comparesNarrow = (node: Node): boolean =>
    isComparison(node) && node.inputs.every((x) => x.op === "Constant" || (part.has(x) && !scaled.has(x)));
  for (const node of order) {
    results.set(node, withOperands(node, part.has(node) || comparesNarrow(node) ? narrowedOf : widened));
  }
  return { ...graphOf(mapNodes(graph.outputs, widened)), inputs: graph.inputs };
}

/**
 * The part that is computed narrower, and what of it is scaled. A value that enters, is of any size, and can't be scaled may be
 * beyond float16's largest number (65,504): what it enters, but convolutions, is left wide. So a product of two such values
 * enters, which may be small where they are not.
 */
function scaledPart(order: readonly Node[]): { readonly part: ReadonlySet<Node> } & ReturnType<typeof scalable> {
  const known = valuesOfKnownRange(order);
  for (let part = narrowPart(order); ; ) {
    const narrow = [...part];
    const unknown = narrow
      .flatMap(operandsOf)
      .filter((node) => !part.has(node) && node.type === "float32" && !known.has(node));
    const found = scalable(narrow, new Set(unknown));
    const unscaled = new Set(unknown.filter((node) => !found.entries.has(node)));
    const left = narrow.filter((node) => isCore(node) || !operandsOf(node).some((operand) => unscaled.has(operand)));
    if (left.length === narrow.length) return { part, ...found };
    part = new Set(left);
  }
}

function isCore(node: Node): boolean {
  return widths[node.op] === "always" && node.type === "float32";
}

function isComparison(node: Node): node is Node & { readonly op: "Equal" | "Greater" | "GreaterOrEqual" } {
  return node.op === "Equal" || node.op === "Greater" || node.op === "GreaterOrEqual";
}

/** Nodes that are computed narrower, each after its operands. */
function narrowPart(order: readonly Node[]): ReadonlySet<Node> {
  const after = new Set<Node>();
  for (const node of order) if (isCore(node) || operandsOf(node).some((operand) => after.has(operand))) after.add(node);
  const before = new Set<Node>();
  for (const node of order.toReversed()) {
    if (isCore(node) || before.has(node)) for (const operand of operandsOf(node)) before.add(operand);
  }
  const isBetween = (node: Node): boolean => widths[node.op] === "between" && after.has(node) && before.has(node);
  return new Set(order.filter((node) => isCore(node) || (node.type === "float32" && isBetween(node))));
}

/** Weights, masks of zeros and ones, the image, and what is computed from these without a convolution. */
function valuesOfKnownRange(order: readonly Node[]): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const node of order) {
    const operands = operandsOf(node);
    const isGiven = node.op === "Constant" || isComparison(node) || (node.op === "Input" && node.type !== "float32");
    const follows = operands.length > 0 && operands.every((operand) => found.has(operand));
    if (isGiven || (follows && widths[node.op] !== "always")) found.add(node);
  }
  return found;
}

/** What has been rounded: an image's programs have most of their weights in common, and rounding them takes 0.1 s of the main thread. */
const toFloat16 = remembered((tensor: Tensor) => tensorOf("float16", tensor.shape, elementsOf(tensor)));

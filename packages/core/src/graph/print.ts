import { operandsOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { elementsOf } from "./tensor.ts";
import type {
  Attributes,
  ConvolutionAttributes,
  MaxPoolAttributes,
  OperatorName,
  Pads,
  PoolingWindow,
  ReductionAttributes,
  ResizeAttributes,
} from "./vocabulary.ts";

/** A node's attributes as `key=value`; those that have their usual value are left out. */
type AttributeText<O extends OperatorName> = (attributes: Attributes<O>) => readonly string[];

function none(): readonly string[] {
  return [];
}

function by(values: readonly number[]): string {
  return values.join("x");
}

/** `key=2x2`, or nothing where every value is the usual one. */
function unless(usual: number, key: string, values: readonly number[]): readonly string[] {
  return values.every((value) => value === usual) ? [] : [`${key}=${by(values)}`];
}

function list(key: string, values: readonly number[]): string {
  return `${key}=[${values.join(",")}]`;
}

/** Top, left, bottom, right. */
function padsText(pads: Pads): readonly string[] {
  const amounts = [pads.top, pads.left, pads.bottom, pads.right];
  return amounts.every((amount) => amount === 0) ? [] : [list("pads", amounts)];
}

function convolutionText(attributes: ConvolutionAttributes): readonly string[] {
  return [
    ...unless(1, "strides", attributes.strides),
    ...unless(1, "dilations", attributes.dilations),
    ...padsText(attributes.pads),
    ...unless(1, "group", [attributes.group]),
  ];
}

function poolingText(attributes: PoolingWindow): readonly string[] {
  return [`kernel=${by(attributes.kernel)}`, `strides=${by(attributes.strides)}`, ...padsText(attributes.pads)];
}

function maxPoolText(attributes: MaxPoolAttributes): readonly string[] {
  return [...poolingText(attributes), ...unless(1, "dilations", attributes.dilations)];
}

function resizeText(attributes: ResizeAttributes): readonly string[] {
  const { mode, scales, coordinates, rounding } = attributes;
  return [mode, `scales=${by(scales)}`, coordinates, ...(mode === "nearest" ? [rounding] : [])];
}

function reductionText({ axes }: ReductionAttributes): readonly string[] {
  return [list("axes", axes)];
}

const attributeTexts: { readonly [O in OperatorName]: AttributeText<O> } = {
  Input: ({ spatial }) => (spatial === undefined ? [] : [list("spatial", spatial)]),
  Constant: none,
  Coordinate: ({ axis }) => [`axis=${axis}`],
  Relu: none,
  LeakyRelu: ({ slope }) => [`slope=${slope}`],
  Sigmoid: none,
  Tanh: none,
  Exp: none,
  Log: none,
  Sqrt: none,
  Abs: none,
  Sign: none,
  Floor: none,
  Round: none,
  Clip: ({ min, max }) => [`min=${min}`, `max=${max}`],
  Cast: none,
  Add: none,
  Sub: none,
  Mul: none,
  Div: none,
  Pow: none,
  Maximum: none,
  Minimum: none,
  Equal: none,
  Greater: none,
  GreaterOrEqual: none,
  Conv: convolutionText,
  ConvTranspose: (attributes) => [
    ...convolutionText(attributes),
    ...unless(0, "outputPadding", attributes.outputPadding),
  ],
  MaxPool: maxPoolText,
  MaxPoolGradient: maxPoolText,
  AveragePool: (attributes) => [...poolingText(attributes), ...(attributes.countIncludePad ? ["countIncludePad"] : [])],
  Resize: resizeText,
  ResizeGradient: resizeText,
  Pad: ({ mode, before, after, value }) => [
    mode,
    list("before", before),
    list("after", after),
    ...(mode === "constant" && value !== 0 ? [`value=${value}`] : []),
  ],
  Slice: ({ starts, sizes, steps }) => [
    list("starts", starts),
    list("sizes", sizes),
    ...(steps.every((step) => step === 1) ? [] : [list("steps", steps)]),
  ],
  Concat: ({ axis }) => [`axis=${axis}`],
  Reshape: none,
  Transpose: ({ permutation }) => [list("permutation", permutation)],
  Expand: none,
  ReduceSum: reductionText,
  ReduceMean: reductionText,
  ReduceMax: reductionText,
  ReduceMin: reductionText,
  ReduceProd: reductionText,
  ReduceLogSumExp: reductionText,
  ArgMax: ({ axis }) => [`axis=${axis}`],
  MatMul: none,
  Softmax: ({ axis }) => [`axis=${axis}`],
};

function attributeText<O extends OperatorName>(node: Pick<NodeOf<O>, "op" | "attributes">): string {
  const texts = attributeTexts[node.op](node.attributes);
  return texts.length === 0 ? "" : `[${texts.join(" ")}]`;
}

/** Larger constants are weights, which tell a reader nothing. */
const mostElementsPrinted = 8;

function constantText(node: Node): string {
  if (node.op !== "Constant" || node.attributes.tensor.data.length > mostElementsPrinted) return "";
  return ` = [${elementsOf(node.attributes.tensor).join(", ")}]`;
}

function typeText(node: Node): string {
  return `${node.type}[${node.shape.join(",")}]`;
}

/**
 * The graph for people, a line a node, operands first, outputs last:
 * `%3 = Conv[strides=2x2](%1, %2) : float32[1,16,64,64]  # encoder.0`. Attributes of their usual value are left out.
 */
export function printGraph(graph: Graph): string {
  const labels = new Map<Node, string>();
  const label = (node: Node): string => labels.get(node) ?? "?";
  const lines: string[] = [];
  for (const node of topologicalOrder(Object.values(graph.outputs))) {
    labels.set(node, `%${labels.size}`);
    const operands = operandsOf(node).map(label).join(", ");
    const name = node.name === "" ? "" : `  # ${node.name}`;
    const call = `${node.op}${attributeText(node)}(${operands})`;
    lines.push(`${label(node)} = ${call} : ${typeText(node)}${constantText(node)}${name}`);
  }
  const outputs = Object.entries(graph.outputs).map(([name, node]) => `${name} = ${label(node)}`);
  return [...lines, `outputs: ${outputs.join(", ")}`, ""].join("\n");
}

import { topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { sizeOf } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

type FlopRule<O extends OperatorName> = (node: NodeOf<O>) => number;

function nothing(): number {
  return 0;
}

function onePerElement(node: Pick<Node, "shape">): number {
  return sizeOf(node.shape);
}

/** Multiply-adds for each element of the coarse side: a convolution's output, a transposed convolution's input. */
function perPosition(weight: Node): number {
  return sizeOf(weight.shape.slice(1));
}

const flopRules: { readonly [O in OperatorName]: FlopRule<O> } = {
  Input: nothing,
  Constant: nothing,
  Coordinate: nothing,
  Relu: onePerElement,
  LeakyRelu: onePerElement,
  Sigmoid: onePerElement,
  Tanh: onePerElement,
  Exp: onePerElement,
  Log: onePerElement,
  Sqrt: onePerElement,
  Abs: onePerElement,
  Sign: onePerElement,
  Floor: onePerElement,
  Round: onePerElement,
  Clip: onePerElement,
  Cast: onePerElement,
  Add: onePerElement,
  Sub: onePerElement,
  Mul: onePerElement,
  Div: onePerElement,
  Pow: onePerElement,
  Maximum: onePerElement,
  Minimum: onePerElement,
  Equal: onePerElement,
  Greater: onePerElement,
  GreaterOrEqual: onePerElement,
  Conv: (node) => 2 * sizeOf(node.shape) * perPosition(node.inputs[1]),
  ConvTranspose: ({ inputs: [x, weight] }) => 2 * sizeOf(x.shape) * perPosition(weight),
  MaxPool: onePerElement,
  MaxPoolGradient: onePerElement,
  AveragePool: onePerElement,
  Resize: onePerElement,
  ResizeGradient: onePerElement,
  Pad: onePerElement,
  Slice: onePerElement,
  Concat: onePerElement,
  Reshape: onePerElement,
  Transpose: onePerElement,
  Expand: onePerElement,
  ReduceSum: onePerElement,
  ReduceMean: onePerElement,
  ReduceMax: onePerElement,
  ReduceMin: onePerElement,
  ReduceProd: onePerElement,
  ReduceLogSumExp: onePerElement,
  ArgMax: onePerElement,
  MatMul: (node) => 2 * sizeOf(node.shape) * (node.inputs[0].shape.at(-1) ?? 0),
  Softmax: onePerElement,
};

function countFlops<O extends OperatorName>(node: NodeOf<O>): number {
  return flopRules[node.op](node);
}

/** Floating-point operations of one node. */
export function flopsOf(node: Node): number {
  return countFlops(node);
}

/**
 * Floating-point operations of one run: two for each multiply-add of Conv, ConvTranspose and MatMul, one for each
 * element that any other operator gives. A measure of work to compare graphs by, not a forecast of time.
 */
export function flops(graph: Graph): number {
  let total = 0;
  for (const node of topologicalOrder(Object.values(graph.outputs))) total += countFlops(node);
  return total;
}

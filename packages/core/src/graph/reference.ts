import { sameShape } from "./extents.ts";
import { roundToFloat16 } from "./float16.ts";
import { operandsOf, readCounts, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { conv, convTranspose } from "./reference/convolution.ts";
import { binary, roundHalfEven, sigmoid, unary } from "./reference/elementwise.ts";
import * as layout from "./reference/layout.ts";
import { averagePool, maxPool, maxPoolGradient } from "./reference/pooling.ts";
import { argMax, logSumExp, matMul, mean, reduction, softmax } from "./reference/reduction.ts";
import { resize, resizeGradient } from "./reference/resize.ts";
import type { ReferenceRule, ValueOf } from "./reference/rule.ts";
import { elementsOf, tensorOf } from "./tensor.ts";
import type { ElementType, Shape, Tensor } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

/** A value of any element type, held in float64. */
export interface ReferenceTensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** What each operator computes, said as plainly as possible: what engines and passes are tested against. */
export const referenceRules: { readonly [O in OperatorName]: ReferenceRule<O> } = {
  Input: layout.input,
  Constant: layout.constant,
  Coordinate: layout.coordinate,

  Relu: unary((x) => Math.max(x, 0)),
  LeakyRelu: (node, valueOf) => valueOf(node.inputs[0]).map((x) => (x < 0 ? node.attributes.slope * x : x)),
  Sigmoid: unary(sigmoid),
  Tanh: unary(Math.tanh),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Round: unary(roundHalfEven),
  Clip: ({ inputs, attributes }, valueOf) =>
    valueOf(inputs[0]).map((x) => Math.min(Math.max(x, attributes.min), attributes.max)),
  Cast: layout.unchanged,

  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Pow: binary((a, b) => a ** b),
  Maximum: binary((a, b) => Math.max(a, b)),
  Minimum: binary((a, b) => Math.min(a, b)),
  Equal: binary((a, b) => (a === b ? 1 : 0)),
  Greater: binary((a, b) => (a > b ? 1 : 0)),
  GreaterOrEqual: binary((a, b) => (a >= b ? 1 : 0)),

  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  MaxPoolGradient: maxPoolGradient,
  AveragePool: averagePool,
  Resize: resize,
  ResizeGradient: resizeGradient,

  Pad: layout.pad,
  Slice: layout.slice,
  Concat: layout.concat,
  Reshape: layout.unchanged,
  Transpose: layout.transpose,
  Expand: layout.expand,

  ReduceSum: reduction(0, (total, x) => total + x),
  ReduceMean: mean,
  ReduceMax: reduction(-Infinity, Math.max),
  ReduceMin: reduction(Infinity, Math.min),
  ReduceProd: reduction(1, (product, x) => product * x),
  ReduceLogSumExp: logSumExp,
  ArgMax: argMax,

  MatMul: matMul,
  Softmax: softmax,
};

/** What a real number becomes in an element type: integers truncate towards zero and wrap; float16 is rounded to, the wider floats stay as exact as float64. */
const settle: { readonly [T in ElementType]: ((x: number) => number) | undefined } = {
  float32: undefined,
  float64: undefined,
  float16: roundToFloat16,
  int64: (x) => (Number.isNaN(x) ? 0 : Math.trunc(x)),
  int32: (x) => x | 0,
  uint8: (x) => x & 0xff,
  uint16: (x) => x & 0xffff,
  bool: (x) => (x === 0 ? 0 : 1),
};

function applyRule<O extends OperatorName>(node: NodeOf<O>, valueOf: ValueOf): Float64Array {
  return referenceRules[node.op](node, valueOf);
}

/** One node's elements from its operands', in row-major order. An operand's own elements may be returned. */
export function evaluateNode(node: Node, valueOf: ValueOf): Float64Array {
  const data = applyRule(node, valueOf);
  const round = settle[node.type];
  return round === undefined ? data : data.map((x) => round(x));
}

/**
 * The graph's outputs in float64, whatever its element types (float32 is not rounded to). Slow and exact; values are
 * let go after their last use. int64 beyond 2^53 is not exact.
 * @throws {RangeError} when an input is missing or of another shape than declared.
 */
export function evaluate(
  graph: Graph,
  inputs: Readonly<Record<string, ReferenceTensor>>,
): Readonly<Record<string, ReferenceTensor>> {
  const roots = Object.values(graph.outputs);
  const order = topologicalOrder(roots);
  const pending = readCounts(roots);
  const values = new Map<Node, Float64Array>();
  const valueOf: ValueOf = (operand) => {
    const value = values.get(operand);
    if (value === undefined) throw new RangeError(`Evaluating the graph: ${operand.op} has no value yet.`);
    return value;
  };
  for (const node of order) {
    values.set(node, node.op === "Input" ? inputValue(node, inputs) : evaluateNode(node, valueOf));
    for (const operand of operandsOf(node)) {
      const left = (pending.get(operand) ?? 0) - 1;
      pending.set(operand, left);
      if (left === 0) values.delete(operand);
    }
  }
  return Object.fromEntries(
    Object.entries(graph.outputs).map(([name, node]) => [name, { shape: node.shape, data: valueOf(node) }]),
  );
}

function inputValue(node: NodeOf<"Input">, inputs: Readonly<Record<string, ReferenceTensor>>): Float64Array {
  const value = inputs[node.name];
  if (value === undefined) return layout.input(node);
  if (!sameShape(value.shape, node.shape)) {
    throw new RangeError(
      `Evaluating the graph: the input "${node.name}" is of shape [${node.shape.join(", ")}], got [${value.shape.join(", ")}].`,
    );
  }
  return value.data;
}

/** A tensor's elements, held in float64. */
export function referenceTensor(tensor: Tensor): ReferenceTensor {
  return { shape: tensor.shape, data: elementsOf(tensor) };
}

/** A reference value rounded to an element type. */
export function roundedTensor(value: ReferenceTensor, type: ElementType): Tensor {
  return tensorOf(type, value.shape, value.data);
}

import { arithmetic, cast, clip, comparison, floatingUnary, numericUnary, power } from "./shape/elementwise.ts";
import type { ShapeRule } from "./shape/expectation.ts";
import { concat, constant, coordinate, expand, input, pad, reshape, slice, transpose } from "./shape/layout.ts";
import { argMax, floatingReduction, matMul, reduction, selection, softmax } from "./shape/reduction.ts";
import { averagePool, conv, convTranspose, maxPool, maxPoolGradient, resize, resizeGradient } from "./shape/window.ts";
import type { OperatorName } from "./vocabulary.ts";

/** What each operator makes of its operands' shapes and types; refuses operands that do not fit with `model-shape`. */
export const shapeRules: { readonly [O in OperatorName]: ShapeRule<O> } = {
  Input: input,
  Constant: constant,
  Coordinate: coordinate,

  Relu: numericUnary,
  LeakyRelu: floatingUnary,
  Sigmoid: floatingUnary,
  Tanh: floatingUnary,
  Exp: floatingUnary,
  Log: floatingUnary,
  Sqrt: floatingUnary,
  Abs: numericUnary,
  Sign: numericUnary,
  Floor: floatingUnary,
  Round: floatingUnary,
  Clip: clip,
  Cast: cast,

  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Pow: power,
  Maximum: arithmetic,
  Minimum: arithmetic,
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,

  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  MaxPoolGradient: maxPoolGradient,
  AveragePool: averagePool,
  Resize: resize,
  ResizeGradient: resizeGradient,

  Pad: pad,
  Slice: slice,
  Concat: concat,
  Reshape: reshape,
  Transpose: transpose,
  Expand: expand,

  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: selection,
  ReduceMin: selection,
  ReduceProd: reduction,
  ReduceLogSumExp: floatingReduction,
  ArgMax: argMax,

  MatMul: matMul,
  Softmax: softmax,
};

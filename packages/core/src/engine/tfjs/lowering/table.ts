import { tensorOf } from "../../../graph/tensor.ts";
import type { OperatorName } from "../../../graph/vocabulary.ts";
import type { Value } from "../builder.ts";
import type { Lowering, LoweringContext } from "./context.ts";
import { conv } from "./convolution.ts";
import { binary, cast, clip, comparison, divide, unary } from "./elementwise.ts";
import { concat, expand, pad, reshape, slice, transpose } from "./layout.ts";
import { averagePool, maxPool, maxPoolGradient } from "./pooling.ts";
import { argMax, logSumExp, matMul, mean, reduction, softmax, sum } from "./reduction.ts";
import { resize, resizeGradient } from "./resize.ts";
import { convTranspose } from "./transposed-convolution.ts";

/** What each operator of the vocabulary is in operations of TensorFlow.js. */
export const lowerings: { readonly [O in OperatorName]: Lowering<O> } = {
  Input: ({ node }) => {
    throw new RangeError(`The input "${node.name}" is given, not computed.`);
  },
  Constant: ({ node, constant }) => constant(node.attributes.tensor),
  Coordinate: ({ node, constant }) =>
    constant(
      tensorOf(
        "float32",
        node.shape,
        Float32Array.from({ length: node.attributes.size }, (_, index) => index),
      ),
    ),

  Relu: unary((tf, x) => tf.relu(x)),
  LeakyRelu: ({ tf, node, operand, emit }) => {
    const x = operand(0);
    return emit((value) => tf.leakyRelu(value, node.attributes.slope), [x], { layout: x.layout });
  },
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Tanh: unary((tf, x) => tf.tanh(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Log: unary((tf, x) => tf.log(x)),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Abs: unary((tf, x) => tf.abs(x)),
  Sign: unary((tf, x) => tf.sign(x)),
  Floor: unary((tf, x) => tf.floor(x)),
  Round: unary((tf, x) => tf.round(x)),
  Clip: clip,
  Cast: cast,

  Add: binary((tf, a, b) => tf.add(a, b)),
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Div: divide,
  Pow: binary((tf, a, b) => tf.pow(a, b)),
  Maximum: binary((tf, a, b) => tf.maximum(a, b)),
  Minimum: binary((tf, a, b) => tf.minimum(a, b)),
  Equal: comparison((tf, a, b) => tf.equal(a, b)),
  Greater: comparison((tf, a, b) => tf.greater(a, b)),
  GreaterOrEqual: comparison((tf, a, b) => tf.greaterEqual(a, b)),

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

  ReduceSum: reduction(sum),
  ReduceMean: reduction(mean),
  ReduceMax: reduction((tf, x, axes) => tf.max(x, [...axes], true)),
  ReduceMin: reduction((tf, x, axes) => tf.min(x, [...axes], true)),
  ReduceProd: reduction((tf, x, axes) => tf.prod(x, [...axes], true)),
  ReduceLogSumExp: logSumExp,
  ArgMax: argMax,

  MatMul: matMul,
  Softmax: softmax,
};

export function lower<O extends OperatorName>(context: LoweringContext<O>): Value {
  return lowerings[context.node.op](context);
}

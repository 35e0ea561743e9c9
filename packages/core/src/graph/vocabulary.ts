import type { Node } from "./node.ts";
import type { ElementType, Shape, Tensor } from "./tensor.ts";

/** A pair along the two spatial axes: [vertical, horizontal]. */
export type Pair = readonly [number, number];

export interface Pads {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** A sliding window over the last two axes of an [N, C, H, W] value. */
export interface PoolingWindow {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly pads: Pads;
}

export interface MaxPoolAttributes extends PoolingWindow {
  readonly dilations: Pair;
}

export interface ConvolutionAttributes {
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pads: Pads;
  readonly group: number;
}

export interface ResizeAttributes {
  readonly mode: "nearest" | "linear";
  /** Output extent / input extent along [vertical, horizontal]; the output extent is floor(input * scale). */
  readonly scales: Pair;
  /** Where an output sample lies in the input, as ONNX names it. */
  readonly coordinates: "half_pixel" | "pytorch_half_pixel" | "asymmetric" | "align_corners";
  /** How `nearest` rounds a position, as ONNX names it. */
  readonly rounding: "floor" | "ceil" | "round_prefer_floor" | "round_prefer_ceil";
}

export interface ReductionAttributes {
  /** Axes from 0, ascending, without repetition; every one stays with extent 1. */
  readonly axes: readonly number[];
}

interface Operator<Inputs extends readonly (Node | undefined)[], Attributes> {
  readonly inputs: Inputs;
  readonly attributes: Attributes;
}

type None = Readonly<Record<never, never>>;
type Unary<Attributes = None> = Operator<readonly [x: Node], Attributes>;
/** Operands broadcast as in NumPy. */
type Binary = Operator<readonly [a: Node, b: Node], None>;

/**
 * The operator vocabulary. It is small on purpose: what an exchange format spells in many ways (Gemm, Split,
 * GlobalAveragePool, BatchNormalization…) is rewritten into these when it is read. Each *meaning* of an operator is
 * one total table keyed by these names: shape, reference value, gradient, locality, printing, ONNX form. A new line
 * here does not compile until every table has its rule.
 *
 * Images are [N, C, H, W]; every node has one output.
 */
export interface Operators {
  /** A value given at run time. `spatial` names the [vertical, horizontal] axes when the value is one of image positions. */
  Input: Operator<readonly [], { readonly type: ElementType; readonly shape: Shape; readonly spatial?: Pair }>;
  Constant: Operator<readonly [], { readonly tensor: Tensor }>;
  /** float32 [1.., size, ..1]: at each position along `axis` its own index, counted in the whole image. */
  Coordinate: Operator<readonly [], { readonly axis: number; readonly rank: number; readonly size: number }>;

  Relu: Unary;
  LeakyRelu: Unary<{ readonly slope: number }>;
  Sigmoid: Unary;
  Tanh: Unary;
  Exp: Unary;
  /** Natural logarithm. */
  Log: Unary;
  Sqrt: Unary;
  Abs: Unary;
  /** -1, 0 or 1. */
  Sign: Unary;
  Floor: Unary;
  /** To the nearest integer, halves to the even one. */
  Round: Unary;
  Clip: Unary<{ readonly min: number; readonly max: number }>;
  /** To integers: truncates towards zero. */
  Cast: Unary<{ readonly to: ElementType }>;

  Add: Binary;
  Sub: Binary;
  Mul: Binary;
  Div: Binary;
  Pow: Binary;
  Maximum: Binary;
  Minimum: Binary;
  /** 1 where equal, else 0, in float32. */
  Equal: Binary;
  /** 1 where a > b, else 0, in float32. */
  Greater: Binary;
  /** 1 where a >= b, else 0, in float32. */
  GreaterOrEqual: Binary;

  /** x [N, C, H, W], weight [O, C/group, kh, kw], bias [O]. Pads are zeros. */
  Conv: Operator<readonly [x: Node, weight: Node, bias: Node | undefined], ConvolutionAttributes>;
  /** x [N, C, H, W], weight [C, O/group, kh, kw], bias [O]; extent (in - 1) * stride + dilation * (k - 1) + 1 + outputPadding - pads. */
  ConvTranspose: Operator<
    readonly [x: Node, weight: Node, bias: Node | undefined],
    ConvolutionAttributes & { readonly outputPadding: Pair }
  >;
  /** Pads are minus infinity. */
  MaxPool: Unary<MaxPoolAttributes>;
  /** Gradient of MaxPool to its input: each output's gradient goes to the *first* maximum of its window, row-major. */
  MaxPoolGradient: Operator<readonly [x: Node, gradient: Node], MaxPoolAttributes>;
  AveragePool: Unary<PoolingWindow & { readonly countIncludePad: boolean }>;
  /** Over the last two axes. */
  Resize: Unary<ResizeAttributes>;
  /** Transpose of the linear map that Resize is: from the output's gradient to the input's, whose extent is `extent`. */
  ResizeGradient: Operator<readonly [gradient: Node], ResizeAttributes & { readonly extent: Pair }>;

  /** Amounts >= 0 for each axis. `edge` repeats the border value, `reflect` mirrors without repeating it. */
  Pad: Unary<{
    readonly mode: "constant" | "edge" | "reflect";
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly value: number;
  }>;
  /** out[i] = x[start + i * step] along each axis, `sizes` values; steps may be negative. */
  Slice: Unary<{
    readonly starts: readonly number[];
    readonly sizes: readonly number[];
    readonly steps: readonly number[];
  }>;
  Concat: Operator<readonly Node[], { readonly axis: number }>;
  Reshape: Unary<{ readonly shape: Shape }>;
  /** out.shape[i] = x.shape[permutation[i]]. */
  Transpose: Unary<{ readonly permutation: readonly number[] }>;
  /** Broadcast to `shape`. */
  Expand: Unary<{ readonly shape: Shape }>;

  ReduceSum: Unary<ReductionAttributes>;
  ReduceMean: Unary<ReductionAttributes>;
  ReduceMax: Unary<ReductionAttributes>;
  ReduceMin: Unary<ReductionAttributes>;
  ReduceProd: Unary<ReductionAttributes>;
  ReduceLogSumExp: Unary<ReductionAttributes>;
  /** int64 index of the first maximum along `axis`, whose extent becomes 1. */
  ArgMax: Unary<{ readonly axis: number }>;

  /** As NumPy's matmul, batch axes broadcast; both operands have rank >= 2. */
  MatMul: Binary;
  Softmax: Unary<{ readonly axis: number }>;
}

export type OperatorName = keyof Operators;
export type Attributes<O extends OperatorName> = Operators[O]["attributes"];
export type Inputs<O extends OperatorName> = Operators[O]["inputs"];

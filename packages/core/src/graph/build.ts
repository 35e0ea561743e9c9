import { sameShape } from "./extents.ts";
import { createNode } from "./node.ts";
import type { Node, NodeOf } from "./node.ts";
import { tensorOf } from "./tensor.ts";
import type { ElementType, Shape, Tensor } from "./tensor.ts";
import type {
  Attributes,
  ConvolutionAttributes,
  MaxPoolAttributes,
  Pads,
  Pair,
  ResizeAttributes,
} from "./vocabulary.ts";

/**
 * Named constructors of nodes: `conv(x, weight, bias, { strides: [2, 2] })`. Each infers the shape and throws
 * `model-shape` when operands do not fit. One whose result would be its operand (a cast to the type it has, a pad by
 * nothing) returns that operand, unless a name is given: a named value stays a node of its own.
 */

export interface Named {
  /** The name that the model's author gave the value. */
  readonly name?: string;
}

export const noPads: Pads = { top: 0, left: 0, bottom: 0, right: 0 };

function named(options: Named): Named {
  return options.name === undefined ? {} : { name: options.name };
}

/** `x` where the node would do nothing; else the node. */
function unlessIdentity(x: Node, identity: boolean, options: Named, make: () => Node): Node {
  return identity && options.name === undefined ? x : make();
}

// Values

/** A value given at run time; `spatial` names its [vertical, horizontal] axes where it has image positions. */
export function input(name: string, attributes: Attributes<"Input">): NodeOf<"Input"> {
  return createNode({ op: "Input", inputs: [], attributes, name });
}

export function constant(tensor: Tensor, options: Named = {}): NodeOf<"Constant"> {
  return createNode({ op: "Constant", inputs: [], attributes: { tensor }, ...named(options) });
}

export function scalarConstant(
  value: number,
  options: Named & { readonly type?: ElementType } = {},
): NodeOf<"Constant"> {
  return constant(tensorOf(options.type ?? "float32", [], [value]), options);
}

/** The scalar constant `value` in `x`'s type, for use beside it. */
export function scalarLike(x: Node, value: number): NodeOf<"Constant"> {
  return scalarConstant(value, { type: x.type });
}

/** A constant [n] float32. */
export function vectorConstant(values: readonly number[], options: Named = {}): NodeOf<"Constant"> {
  return constant(tensorOf("float32", [values.length], values), options);
}

/** float32 [1.., size, ..1]: each position's own index along `axis`. */
export function coordinate(attributes: Attributes<"Coordinate">, options: Named = {}): NodeOf<"Coordinate"> {
  return createNode({ op: "Coordinate", inputs: [], attributes, ...named(options) });
}

// Functions of each element

type PlainUnary = "Relu" | "Sigmoid" | "Tanh" | "Exp" | "Log" | "Sqrt" | "Abs" | "Sign" | "Floor" | "Round";
type PlainBinary =
  | "Add"
  | "Sub"
  | "Mul"
  | "Div"
  | "Pow"
  | "Maximum"
  | "Minimum"
  | "Equal"
  | "Greater"
  | "GreaterOrEqual"
  | "MatMul";

type UnaryConstructor = (x: Node, options?: Named) => Node;
type BinaryConstructor = (a: Node, b: Node, options?: Named) => Node;

function unary(op: PlainUnary): UnaryConstructor {
  return (x, options = {}) => createNode({ op, inputs: [x], attributes: {}, ...named(options) });
}

function binary(op: PlainBinary): BinaryConstructor {
  return (a, b, options = {}) => createNode({ op, inputs: [a, b], attributes: {}, ...named(options) });
}

export const relu = unary("Relu");
export const sigmoid = unary("Sigmoid");
export const tanh = unary("Tanh");
export const exp = unary("Exp");
/** Natural logarithm. */
export const log = unary("Log");
export const sqrt = unary("Sqrt");
export const abs = unary("Abs");
export const sign = unary("Sign");
export const floor = unary("Floor");
export const round = unary("Round");

export const add = binary("Add");
export const sub = binary("Sub");
export const mul = binary("Mul");
export const div = binary("Div");
export const pow = binary("Pow");
export const maximum = binary("Maximum");
export const minimum = binary("Minimum");
export const equal = binary("Equal");
export const greater = binary("Greater");
export const greaterOrEqual = binary("GreaterOrEqual");
/** [.., m, k] x [.., k, n] -> [.., m, n]. */
export const matMul = binary("MatMul");

export function leakyRelu(x: Node, slope: number, options: Named = {}): Node {
  return createNode({ op: "LeakyRelu", inputs: [x], attributes: { slope }, ...named(options) });
}

export function clip(x: Node, range: { readonly min?: number; readonly max?: number }, options: Named = {}): Node {
  const { min = -Infinity, max = Infinity } = range;
  return createNode({ op: "Clip", inputs: [x], attributes: { min, max }, ...named(options) });
}

export function cast(x: Node, to: ElementType, options: Named = {}): Node {
  return unlessIdentity(x, x.type === to, options, () =>
    createNode({ op: "Cast", inputs: [x], attributes: { to }, ...named(options) }),
  );
}

/** -x. */
export function negate(x: Node, options: Named = {}): Node {
  return mul(x, scalarLike(x, -1), options);
}

// Windows

export type ConvolutionOptions = Partial<ConvolutionAttributes> & Named;

function convolutionAttributes(options: ConvolutionOptions): ConvolutionAttributes {
  const { strides = [1, 1], dilations = [1, 1], pads = noPads, group = 1 } = options;
  return { strides, dilations, pads, group };
}

/** x [N, C, H, W], weight [O, C/group, kh, kw], bias [O]; by default stride 1 and no pads. */
export function conv(x: Node, weight: Node, bias?: Node, options: ConvolutionOptions = {}): Node {
  const attributes = convolutionAttributes(options);
  return createNode({ op: "Conv", inputs: [x, weight, bias], attributes, ...named(options) });
}

/** x [N, C, H, W], weight [C, O/group, kh, kw], bias [O]. */
export function convTranspose(
  x: Node,
  weight: Node,
  bias?: Node,
  options: ConvolutionOptions & { readonly outputPadding?: Pair } = {},
): Node {
  const attributes = { ...convolutionAttributes(options), outputPadding: options.outputPadding ?? ([0, 0] as const) };
  return createNode({ op: "ConvTranspose", inputs: [x, weight, bias], attributes, ...named(options) });
}

/** A kernel, and by default a stride as wide as the kernel, no pads and no dilation. */
export type PoolingOptions = Pick<MaxPoolAttributes, "kernel"> & Partial<Omit<MaxPoolAttributes, "kernel">> & Named;

function poolingAttributes(options: PoolingOptions): MaxPoolAttributes {
  const { kernel, strides = kernel, dilations = [1, 1], pads = noPads } = options;
  return { kernel, strides, dilations, pads };
}

export function maxPool(x: Node, options: PoolingOptions): Node {
  return createNode({ op: "MaxPool", inputs: [x], attributes: poolingAttributes(options), ...named(options) });
}

/** `gradient` has the shape of maxPool(x, options); the result that of x. */
export function maxPoolGradient(x: Node, gradient: Node, options: PoolingOptions): Node {
  const attributes = poolingAttributes(options);
  return createNode({ op: "MaxPoolGradient", inputs: [x, gradient], attributes, ...named(options) });
}

export function averagePool(
  x: Node,
  options: Omit<PoolingOptions, "dilations"> & { readonly countIncludePad?: boolean },
): Node {
  const { kernel, strides, pads } = poolingAttributes(options);
  const attributes = { kernel, strides, pads, countIncludePad: options.countIncludePad ?? false };
  return createNode({ op: "AveragePool", inputs: [x], attributes, ...named(options) });
}

/** Scales, and by default ONNX's own defaults: nearest, half_pixel, round_prefer_floor. */
export type ResizeOptions = Pick<ResizeAttributes, "scales"> & Partial<Omit<ResizeAttributes, "scales">> & Named;

function resizeAttributes(options: ResizeOptions): ResizeAttributes {
  const { scales, mode = "nearest", coordinates = "half_pixel", rounding = "round_prefer_floor" } = options;
  return { scales, mode, coordinates, rounding };
}

export function resize(x: Node, options: ResizeOptions): Node {
  const identity = options.scales.every((scale) => scale === 1);
  return unlessIdentity(x, identity, options, () =>
    createNode({ op: "Resize", inputs: [x], attributes: resizeAttributes(options), ...named(options) }),
  );
}

/** From the gradient of `resize(x, options)` to that of x, whose last two axes are `extent`. */
export function resizeGradient(gradient: Node, extent: Pair, options: ResizeOptions): Node {
  const attributes = { ...resizeAttributes(options), extent };
  return createNode({ op: "ResizeGradient", inputs: [gradient], attributes, ...named(options) });
}

// Layout

/** Amounts for each axis; those not given are zeros. */
export interface PadOptions extends Named {
  readonly before?: readonly number[];
  readonly after?: readonly number[];
  readonly mode?: Attributes<"Pad">["mode"];
  readonly value?: number;
}

export function pad(x: Node, options: PadOptions): Node {
  const zeros = x.shape.map(() => 0);
  const { before = zeros, after = zeros, mode = "constant", value = 0 } = options;
  const identity = sameShape(before, zeros) && sameShape(after, zeros);
  return unlessIdentity(x, identity, options, () =>
    createNode({ op: "Pad", inputs: [x], attributes: { mode, before, after, value }, ...named(options) }),
  );
}

/** `sizes` values along each axis from `starts`, every `steps`-th (default 1; may be negative). */
export interface SliceOptions extends Named {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps?: readonly number[];
}

export function slice(x: Node, options: SliceOptions): Node {
  const { starts, sizes, steps = sizes.map(() => 1) } = options;
  const whole = sameShape(sizes, x.shape) && starts.every((start) => start === 0) && steps.every((step) => step === 1);
  return unlessIdentity(x, whole, options, () =>
    createNode({ op: "Slice", inputs: [x], attributes: { starts, sizes, steps }, ...named(options) }),
  );
}

/** `size` values along `axis` from `start`; everything along the others. */
export function sliceAxis(
  x: Node,
  options: Named & { readonly axis: number; readonly start: number; readonly size: number; readonly step?: number },
): Node {
  const { axis, start, size, step = 1 } = options;
  const only = (value: number, other: (extent: number) => number): readonly number[] =>
    x.shape.map((extent, index) => (index === axis ? value : other(extent)));
  const [starts, sizes, steps] = [only(start, () => 0), only(size, (extent) => extent), only(step, () => 1)];
  return slice(x, { starts, sizes, steps, ...named(options) });
}

export function concat(operands: readonly Node[], axis: number, options: Named = {}): Node {
  const [only] = operands;
  const make = (): Node => createNode({ op: "Concat", inputs: operands, attributes: { axis }, ...named(options) });
  return only === undefined ? make() : unlessIdentity(only, operands.length === 1, options, make);
}

export function reshape(x: Node, shape: Shape, options: Named = {}): Node {
  return unlessIdentity(x, sameShape(x.shape, shape), options, () =>
    createNode({ op: "Reshape", inputs: [x], attributes: { shape }, ...named(options) }),
  );
}

/** out.shape[i] = x.shape[permutation[i]]. */
export function transpose(x: Node, permutation: readonly number[], options: Named = {}): Node {
  const identity = permutation.length === x.shape.length && permutation.every((axis, index) => axis === index);
  return unlessIdentity(x, identity, options, () =>
    createNode({ op: "Transpose", inputs: [x], attributes: { permutation }, ...named(options) }),
  );
}

/** Broadcast to `shape`. */
export function expand(x: Node, shape: Shape, options: Named = {}): Node {
  return unlessIdentity(x, sameShape(x.shape, shape), options, () =>
    createNode({ op: "Expand", inputs: [x], attributes: { shape }, ...named(options) }),
  );
}

// Reductions

type PlainReduction = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceLogSumExp";
type ReductionConstructor = (x: Node, axes: readonly number[], options?: Named) => Node;

/** Axes in any order, each once; every one stays with extent 1. */
function reduction(op: PlainReduction): ReductionConstructor {
  return (x, axes, options = {}) =>
    unlessIdentity(x, axes.length === 0, options, () =>
      createNode({ op, inputs: [x], attributes: { axes: axes.toSorted((a, b) => a - b) }, ...named(options) }),
    );
}

export const reduceSum = reduction("ReduceSum");
export const reduceMean = reduction("ReduceMean");
export const reduceMax = reduction("ReduceMax");
export const reduceMin = reduction("ReduceMin");
export const reduceProd = reduction("ReduceProd");
export const reduceLogSumExp = reduction("ReduceLogSumExp");

/** int64 index of the first maximum along `axis`, whose extent becomes 1. */
export function argMax(x: Node, axis: number, options: Named = {}): Node {
  return createNode({ op: "ArgMax", inputs: [x], attributes: { axis }, ...named(options) });
}

export function softmax(x: Node, axis: number, options: Named = {}): Node {
  return createNode({ op: "Softmax", inputs: [x], attributes: { axis }, ...named(options) });
}

import type { NodeOf } from "../../../graph/node.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { ConvolutionAttributes, OperatorName, Pads } from "../../../graph/vocabulary.ts";
import { dataTypeOf } from "../tensors.ts";
import type { Attributes, Emitter } from "./emitter.ts";
import { lowerMaxPoolGradient } from "./pool-gradient.ts";
import { lowerRelativeReshape, relativeBounds } from "./relative-sizes.ts";
import type { Bounds } from "./relative-sizes.ts";
import { lowerResizeGradient } from "./resize-gradient.ts";

export interface LoweringContext<O extends OperatorName> {
  readonly node: NodeOf<O>;
  readonly emitter: Emitter;
  /** Names of the operands; "" for an absent one. */
  readonly operands: readonly string[];
  /** What the result must be called, when it matters. */
  readonly name: string | undefined;
  /** Whether the file is to be run at other image sizes than the graph's, so that sizes must be told by what they are measured from. */
  readonly dynamicAxes: boolean;
  /** Whether runs along the first axis are to be parts of a Split. */
  readonly splits: boolean;
  /** Whether a MaxPoolGradient takes maxima of a window's values. */
  readonly windowMaxima: boolean;
  /** Whether convolutions and pools are to work on channels that lie last. */
  readonly channelsLast: boolean;
}

/** Emits the ONNX nodes that an operator becomes and returns the name of its value. */
type Lowering<O extends OperatorName> = (context: LoweringContext<O>) => string;

type Plain = Pick<LoweringContext<OperatorName>, "emitter" | "operands" | "name">;

/** An operator that ONNX has under this name, without attributes. */
function direct(operator: string): (context: Plain) => string {
  return ({ emitter, operands, name }) => emitter.emit(operator, operands, {}, name);
}

/** ONNX compares to booleans; the vocabulary to 0 and 1 in float32. */
function comparison(operator: string): (context: Plain) => string {
  return ({ emitter, operands, name }) =>
    emitter.emit("Cast", [emitter.emit(operator, operands)], { to: dataTypeOf("float32") }, name);
}

type Reduction = "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceLogSumExp";

function reduction({ node, emitter, operands, name }: LoweringContext<Reduction>): string {
  return emitter.emit(node.op, operands, { axes: node.attributes.axes, keepdims: 1 }, name);
}

function padList({ top, left, bottom, right }: Pads): readonly number[] {
  return [top, left, bottom, right];
}

function convolution({ strides, dilations, pads, group }: ConvolutionAttributes): Attributes {
  return { strides, dilations, pads: padList(pads), group };
}

/**
 * Whether the scales stand for a ratio of extents (21 / 10) that float32 can't hold: engines round their product with
 * the extent differently, and may miss the extent that is meant, so that they are to be told that instead.
 */
function isRoundedRatio({ inputs: [x], attributes, shape }: NodeOf<"Resize">): boolean {
  const axes = attributes.scales.map((scale, axis) => {
    const ratio = (shape[axis + 2] ?? 1) / (x.shape[axis + 2] ?? 1);
    return { exact: Math.fround(scale) === scale, ratio: Math.abs(scale - ratio) <= 2 ** -22 * ratio };
  });
  return axes.every(({ ratio }) => ratio) && axes.some(({ exact }) => !exact);
}

/** Whether a slice takes values that lie beside each other in memory: a run along the first axis, and all of the others. */
function isRun({ inputs: [x], attributes: { sizes, steps } }: NodeOf<"Slice">): boolean {
  return steps[0] === 1 && sizes.every((size, axis) => axis === 0 || (size === x.shape[axis] && steps[axis] === 1));
}

function lowerRun({ inputs: [x], attributes }: NodeOf<"Slice">, { emitter, operands, name }: Plain): string {
  const [from = 0] = attributes.starts;
  const [size = 0] = attributes.sizes;
  const parts = [from, size, (x.shape[0] ?? 0) - from - size];
  const kept = parts.filter((extent) => extent > 0);
  return emitter.emitPart(operands[0] ?? "", kept, from > 0 ? 1 : 0, name);
}

/** In the layout that is wanted; float64, which is for sums, has only the usual one. */
function emitOnImages({
  node,
  emitter,
  channelsLast,
}: LoweringContext<"Conv" | "ConvTranspose" | "MaxPool">): Emitter["emit"] {
  return channelsLast && node.type !== "float64" ? emitter.emitChannelsLast : emitter.emit;
}

/** Far enough to mean "up to the first value, inclusive" where a slice runs backwards. */
const beforeTheStart = -(2 ** 31);

function absoluteBounds({ attributes: { starts, sizes, steps } }: NodeOf<"Slice">): Bounds {
  const ends = starts.map((start, axis) => {
    const end = start + (sizes[axis] ?? 0) * (steps[axis] ?? 1);
    return end < 0 ? beforeTheStart : end;
  });
  return { starts, ends };
}

export const lowerings: { readonly [O in OperatorName]: Lowering<O> } = {
  Input: ({ node }) => node.name,
  Constant: ({ node, emitter, name }) => emitter.tensor(node.attributes.tensor, name),
  Coordinate: ({ node, emitter, name }) => {
    const { size } = node.attributes;
    return emitter.tensor(
      tensorOf(
        "float32",
        node.shape,
        Float32Array.from({ length: size }, (_, index) => index),
      ),
      name,
    );
  },
  Relu: direct("Relu"),
  LeakyRelu: ({ node, emitter, operands, name }) =>
    emitter.emit("LeakyRelu", operands, { alpha: { float: node.attributes.slope } }, name),
  Sigmoid: direct("Sigmoid"),
  Tanh: direct("Tanh"),
  Exp: direct("Exp"),
  Log: direct("Log"),
  Sqrt: direct("Sqrt"),
  Abs: direct("Abs"),
  Sign: direct("Sign"),
  Floor: direct("Floor"),
  Round: direct("Round"),
  Clip: ({ node, emitter, operands, name }) => {
    const { min, max } = node.attributes;
    const limit = (value: number): string =>
      Number.isFinite(value) ? emitter.tensor(tensorOf(node.type, [], [value])) : "";
    return emitter.emit("Clip", [...operands, limit(min), limit(max)], {}, name);
  },
  Cast: ({ node, emitter, operands, name }) =>
    emitter.emit("Cast", operands, { to: dataTypeOf(node.attributes.to) }, name),
  Add: direct("Add"),
  Sub: direct("Sub"),
  Mul: direct("Mul"),
  Div: direct("Div"),
  Pow: direct("Pow"),
  Maximum: direct("Max"),
  Minimum: direct("Min"),
  Equal: comparison("Equal"),
  Greater: comparison("Greater"),
  GreaterOrEqual: comparison("GreaterOrEqual"),
  Conv: (context) => {
    const { node, operands, name } = context;
    return emitOnImages(context)("Conv", operands, convolution(node.attributes), name);
  },
  ConvTranspose: (context) => {
    const { node, operands, name } = context;
    const attributes = { ...convolution(node.attributes), output_padding: node.attributes.outputPadding };
    return emitOnImages(context)("ConvTranspose", operands, attributes, name);
  },
  MaxPool: (context) => {
    const { node, operands, name } = context;
    const { kernel, strides, dilations, pads } = node.attributes;
    const attributes = { kernel_shape: kernel, strides, dilations, pads: padList(pads) };
    return emitOnImages(context)("MaxPool", operands, attributes, name);
  },
  MaxPoolGradient: ({ node, emitter, operands, name, windowMaxima }) => {
    const [x = "", gradient = ""] = operands;
    const shapes = { x: node.inputs[0].shape, gradient: node.inputs[1].shape, type: node.type };
    return lowerMaxPoolGradient(emitter, [x, gradient], { ...node.attributes, shapes, name, windowMaxima });
  },
  AveragePool: ({ node, emitter, operands, name }) => {
    const { kernel, strides, pads, countIncludePad } = node.attributes;
    const attributes = {
      kernel_shape: kernel,
      strides,
      pads: padList(pads),
      count_include_pad: countIncludePad ? 1 : 0,
    };
    return emitter.emit("AveragePool", operands, attributes, name);
  },
  Resize: ({ node, emitter, operands, name, dynamicAxes }) => {
    const { mode, scales, coordinates, rounding } = node.attributes;
    const attributes = { mode, coordinate_transformation_mode: coordinates, nearest_mode: rounding };
    if (!dynamicAxes && isRoundedRatio(node)) {
      return emitter.emit("Resize", [...operands, "", "", emitter.integers(node.shape)], attributes, name);
    }
    return emitter.emit("Resize", [...operands, "", emitter.floats([1, 1, ...scales])], attributes, name);
  },
  ResizeGradient: ({ node, emitter, operands, name }) => {
    const [gradient = ""] = operands;
    return lowerResizeGradient(emitter, gradient, node.inputs[0], node.attributes, name);
  },
  Pad: ({ node, emitter, operands, name }) => {
    const { mode, before, after, value } = node.attributes;
    const fill = mode === "constant" ? emitter.tensor(tensorOf(node.type, [], [value])) : "";
    return emitter.emit("Pad", [...operands, emitter.integers([...before, ...after]), fill], { mode }, name);
  },
  Slice: ({ node, emitter, operands, name, splits, dynamicAxes }) => {
    if (splits && isRun(node)) return lowerRun(node, { emitter, operands, name });
    const { steps } = node.attributes;
    const { starts, ends } = (dynamicAxes ? relativeBounds(node) : undefined) ?? absoluteBounds(node);
    const axes = starts.map((_, axis) => axis);
    const lists = [starts, ends, axes, steps].map((values) => emitter.integers(values));
    return emitter.emit("Slice", [...operands, ...lists], {}, name);
  },
  Concat: ({ node, emitter, operands, name }) => emitter.emit("Concat", operands, { axis: node.attributes.axis }, name),
  Reshape: ({ node, emitter, operands, name, dynamicAxes }) => {
    const [operand = ""] = operands;
    if (dynamicAxes) return lowerRelativeReshape(emitter, operand, node, name);
    return emitter.emit("Reshape", [operand, emitter.integers(node.attributes.shape)], {}, name);
  },
  Transpose: ({ node, emitter, operands, name }) =>
    emitter.emit("Transpose", operands, { perm: node.attributes.permutation }, name),
  Expand: ({ node, emitter, operands, name }) =>
    emitter.emit("Expand", [...operands, emitter.integers(node.attributes.shape)], {}, name),
  ReduceSum: ({ node, emitter, operands, name }) =>
    emitter.emit("ReduceSum", [...operands, emitter.integers(node.attributes.axes)], { keepdims: 1 }, name),
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceLogSumExp: reduction,
  ArgMax: ({ node, emitter, operands, name }) =>
    emitter.emit("ArgMax", operands, { axis: node.attributes.axis, keepdims: 1 }, name),
  MatMul: direct("MatMul"),
  Softmax: ({ node, emitter, operands, name }) =>
    emitter.emit("Softmax", operands, { axis: node.attributes.axis }, name),
};

export function lower<O extends OperatorName>(context: LoweringContext<O>): string {
  return lowerings[context.node.op](context);
}

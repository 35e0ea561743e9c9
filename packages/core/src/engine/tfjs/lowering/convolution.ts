import { spanOf } from "../../../graph/extents.ts";
import type { NodeOf } from "../../../graph/node.ts";
import type { Shape } from "../../../graph/tensor.ts";
import type { Pair } from "../../../graph/vocabulary.ts";
import type { Kernel, Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";
import { marginsOf, rank4, spread, windowOf } from "./images.ts";

type Convolution = "Conv" | "ConvTranspose";

/** Weights [A, B, kh, kw] as a filter [kh, kw, B, A]: of a convolution and of a transposed one. */
function filterOf(tf: TensorFlow, weight: TfTensor): TfTensor {
  return tf.transpose(weight, [2, 3, 1, 0]);
}

/** Weights [C * m, 1, kh, kw] of C groups as a filter [kh, kw, C, m]. */
function depthwiseFilterOf(tf: TensorFlow, weight: TfTensor, groups: number): TfTensor {
  const [outputs = 1, , height = 1, width = 1] = weight.shape;
  return tf.transpose(tf.reshape(weight, [groups, outputs / groups, height, width]), [2, 3, 0, 1]);
}

/** Zeros between the taps. */
function dilated(tf: TensorFlow, filter: TfTensor, [vertical, horizontal]: Pair): TfTensor {
  return spread(tf, spread(tf, filter, { axis: 0, step: vertical }), { axis: 1, step: horizontal });
}

/** Adds the bias [O], whose axis is the last in both. */
function biased(context: LoweringContext<Convolution>, result: Value): Value {
  const { tf, bias, emit } = context;
  return bias === undefined ? result : emit((x, b) => tf.add(x, b), [result, bias], { layout: "last" });
}

const plain = [1, 1] as const;

function isPlain([vertical, horizontal]: Pair): boolean {
  return vertical === 1 && horizontal === 1;
}

/** Runs of each group's channels: TensorFlow's kernels for the CPU and wasm know one group. */
function perGroup(
  tf: TensorFlow,
  groups: number,
  apply: (x: TfTensor, filter: TfTensor) => TfTensor,
  filterAxis: 2 | 3,
): Kernel {
  return (x, filter) => {
    if (groups === 1) return apply(x, filter);
    const [images, filters] = [tf.split(x, groups, 3), tf.split(filter, groups, filterAxis)];
    return tf.concat(
      images.flatMap((image, index) => filters.slice(index, index + 1).map((own) => apply(image, own))),
      3,
    );
  };
}

export function conv(context: LoweringContext<"Conv">): Value {
  const { tf, node, operand, as, emit, prepare } = context;
  const { strides, dilations, pads, group } = node.attributes;
  const [x, weight] = [as(operand(0), "last"), operand(1)];
  const channels = x.shape[1] ?? 1;
  // What TensorFlow's kernels refuse: strides and dilations at once; unequal ones of depthwise convolutions.
  const isDepthwise = group > 1 && group === channels && strides[0] === strides[1];
  const spreads = !isPlain(dilations) && (!isPlain(strides) || dilations[0] !== dilations[1]);
  const taps: [number, number] = spreads ? [...plain] : [...dilations];
  const steps: [number, number] = [...strides];
  const margins = marginsOf(pads);
  const filter = prepare(
    (w) => {
      const made = isDepthwise ? depthwiseFilterOf(tf, w, group) : filterOf(tf, w);
      return spreads ? dilated(tf, made, dilations) : made;
    },
    [weight],
    { shape: [], layout: "first" },
  );
  const kernel: Kernel = isDepthwise
    ? (image, w) => tf.depthwiseConv2d(rank4(image), rank4(w), steps, margins, "NHWC", taps)
    : perGroup(tf, group, (image, w) => tf.conv2d(rank4(image), rank4(w), steps, margins, "NHWC", taps), 3);
  return biased(context, emit(kernel, [x, filter], { layout: "last" }));
}

export function convTranspose(context: LoweringContext<"ConvTranspose">): Value {
  const { tf, node, operand, as, emit, prepare } = context;
  const { group } = node.attributes;
  const [x, weight] = [as(operand(0), "last"), operand(1)];
  const isDepthwise = group > 1 && group === x.shape[1];
  const filter = prepare(
    (w) => {
      const made = isDepthwise ? depthwiseFilterOf(tf, turnedGroups(tf, w), group) : filterOf(tf, w);
      return dilated(tf, isDepthwise ? tf.reverse(made, [0, 1]) : made, node.attributes.dilations);
    },
    [weight],
    { shape: [], layout: "first" },
  );
  const kernel = isDepthwise ? depthwiseTransposed(tf, node) : perGroup(tf, group, transposed(tf, node), 3);
  return biased(context, emit(kernel, [x, filter], { layout: "last" }));
}

/** Weights [C, m, kh, kw] of a transposed depthwise convolution as those of a convolution, [C * m, 1, kh, kw]. */
function turnedGroups(tf: TensorFlow, weight: TfTensor): TfTensor {
  const [channels = 1, outputs = 1, height = 1, width = 1] = weight.shape;
  return tf.reshape(weight, [channels * outputs, 1, height, width]);
}

function spansOf({ inputs, attributes }: NodeOf<"ConvTranspose">): Pair {
  const [, , height = 1, width = 1]: Shape = inputs[1].shape;
  const { dilations } = attributes;
  return [spanOf({ kernel: height, dilation: dilations[0] }), spanOf({ kernel: width, dilation: dilations[1] })];
}

/** The gradient of a convolution without pads, of which the pads are cut off. */
function transposed(tf: TensorFlow, node: NodeOf<"ConvTranspose">): (x: TfTensor, filter: TfTensor) => TfTensor {
  const { strides, pads } = node.attributes;
  const spans = spansOf(node);
  const [n = 1, , height = 1, width = 1] = node.shape;
  const [, , rows = 1, columns = 1] = node.inputs[0].shape;
  const steps: [number, number] = [...strides];
  const isSame =
    isPlain(strides) &&
    [pads.top, pads.bottom].every((amount) => amount === (spans[0] - 1) / 2) &&
    [pads.left, pads.right].every((amount) => amount === (spans[1] - 1) / 2);
  return (x, filter) => {
    const channels = filter.shape[2] ?? 1;
    if (isSame) return tf.conv2dTranspose(rank4(x), rank4(filter), [n, height, width, channels], steps, "same");
    const whole = [(rows - 1) * strides[0] + spans[0], (columns - 1) * strides[1] + spans[1]] as const;
    const full = tf.conv2dTranspose(rank4(x), rank4(filter), [n, ...whole, channels], steps, "valid");
    return windowOf(tf, full, { start: [pads.top, pads.left], extent: [height, width] });
  };
}

/** The same of each channel by itself: a convolution with the turned filter over the values `strides` apart. */
function depthwiseTransposed(tf: TensorFlow, node: NodeOf<"ConvTranspose">): Kernel {
  const { strides, pads } = node.attributes;
  const spans = spansOf(node);
  const [, , height = 1, width = 1] = node.shape;
  const [vertical, horizontal] = [spans[0] - 1, spans[1] - 1];
  const margins = marginsOf({ top: vertical, bottom: vertical, left: horizontal, right: horizontal });
  return (x, filter) => {
    const apart = spread(tf, spread(tf, x, { axis: 1, step: strides[0] }), { axis: 2, step: strides[1] });
    const full = tf.depthwiseConv2d(rank4(apart), rank4(filter), 1, margins);
    return windowOf(tf, full, { start: [pads.top, pads.left], extent: [height, width] });
  };
}

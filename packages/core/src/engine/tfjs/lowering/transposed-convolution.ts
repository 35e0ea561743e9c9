import { spanOf } from "../../../graph/extents.ts";
import type { NodeOf } from "../../../graph/node.ts";
import type { Shape } from "../../../graph/tensor.ts";
import type { Pair } from "../../../graph/vocabulary.ts";
import type { Kernel, Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";
import { biased, depthwiseFilterOf, dilated, filterOf, isPlain, perGroup } from "./convolution.ts";
import { interleaved, marginsOf, rank4, spread, windowOf } from "./images.ts";

type Transposed = NodeOf<"ConvTranspose">;

/** How a transposed convolution is computed. */
interface Way {
  /** The filter that the kernel takes, from the weights [C, O/group, kh, kw]. */
  readonly filter: (weight: TfTensor) => TfTensor;
  readonly kernel: Kernel;
}

export function convTranspose(context: LoweringContext<"ConvTranspose">): Value {
  const { tf, node, operand, as, emit, prepare } = context;
  const { filter, kernel } = wayOf(tf, node);
  const prepared = prepare(filter, [operand(1)], { shape: [], layout: "first" });
  return biased(context, emit(kernel, [as(operand(0), "last"), prepared], { layout: "last" }));
}

/** As convolutions where that can be, which every backend has fast. */
function wayOf(tf: TensorFlow, node: Transposed): Way {
  const { strides, dilations, group } = node.attributes;
  const [, channels = 1] = node.inputs[0].shape;
  const [, , height = 1, width = 1]: Shape = node.inputs[1].shape;
  if (group > 1 && group === channels) return depthwise(tf, node);
  if (isPlain(strides) && Math.min(...fullMarginsOf(node).flat()) >= 0) return turned(tf, node);
  if (group === 1 && isPlain(dilations) && height === strides[0] && width === strides[1]) return blocks(tf, node);
  return gradient(tf, node);
}

function spansOf({ inputs, attributes }: Transposed): Pair {
  const [, , height = 1, width = 1]: Shape = inputs[1].shape;
  const [vertical, horizontal] = attributes.dilations;
  return [spanOf({ kernel: height, dilation: vertical }), spanOf({ kernel: width, dilation: horizontal })];
}

/** Pads of the convolution that a transposed one of stride 1 is. */
function fullMarginsOf(node: Transposed): ReturnType<typeof marginsOf> {
  const { pads, outputPadding } = node.attributes;
  const [vertical, horizontal] = spansOf(node).map((span) => span - 1);
  if (vertical === undefined || horizontal === undefined) throw new RangeError("A window has two extents.");
  return marginsOf({
    top: vertical - pads.top,
    left: horizontal - pads.left,
    bottom: vertical - pads.bottom + outputPadding[0],
    right: horizontal - pads.right + outputPadding[1],
  });
}

/** Without strides: a convolution with the turned filter. */
function turned(tf: TensorFlow, node: Transposed): Way {
  const { dilations, group } = node.attributes;
  const margins = fullMarginsOf(node);
  return {
    filter: (weight) => dilated(tf, tf.reverse(tf.transpose(weight, [2, 3, 0, 1]), [0, 1]), dilations),
    kernel: perGroup(tf, group, (x, filter) => tf.conv2d(rank4(x), rank4(filter), 1, margins), 2),
  };
}

/** Windows that do not overlap: each position's block, as channels, is put in place. */
function blocks(tf: TensorFlow, node: Transposed): Way {
  const { strides, pads } = node.attributes;
  const [, , height = 1, width = 1] = node.shape;
  return {
    filter: (weight) => tf.reshape(tf.transpose(weight, [0, 2, 3, 1]), [1, 1, weight.shape[0] ?? 1, -1]),
    kernel: (x, filter) => {
      const places = tf.split(tf.conv2d(rank4(x), rank4(filter), 1, "valid"), strides[0] * strides[1], 3);
      const image = interleaved(tf, places, strides);
      return windowOf(tf, image, { start: [pads.top, pads.left], extent: [height, width] });
    },
  };
}

/** Each channel by itself: a convolution with the turned filter over the values `strides` apart. */
function depthwise(tf: TensorFlow, node: Transposed): Way {
  const { strides, dilations, pads, group } = node.attributes;
  const [vertical, horizontal] = spansOf(node);
  const [, , height = 1, width = 1] = node.shape;
  const margins = marginsOf({ top: vertical - 1, bottom: vertical - 1, left: horizontal - 1, right: horizontal - 1 });
  return {
    filter: (weight) => {
      const [channels = 1, outputs = 1, rows = 1, columns = 1] = weight.shape;
      const made = depthwiseFilterOf(tf, tf.reshape(weight, [channels * outputs, 1, rows, columns]), group);
      return dilated(tf, tf.reverse(made, [0, 1]), dilations);
    },
    kernel: (x, filter) => {
      const apart = spread(tf, spread(tf, x, { axis: 1, step: strides[0] }), { axis: 2, step: strides[1] });
      const full = tf.depthwiseConv2d(rank4(apart), rank4(filter), 1, margins);
      return windowOf(tf, full, { start: [pads.top, pads.left], extent: [height, width] });
    },
  };
}

/** As the gradient of a convolution without pads, of which the pads are cut off. */
function gradient(tf: TensorFlow, node: Transposed): Way {
  const { strides, dilations, pads, group } = node.attributes;
  const spans = spansOf(node);
  const [n = 1, , height = 1, width = 1] = node.shape;
  const [, , rows = 1, columns = 1] = node.inputs[0].shape;
  const whole = [(rows - 1) * strides[0] + spans[0], (columns - 1) * strides[1] + spans[1]] as const;
  const apply = (x: TfTensor, filter: TfTensor): TfTensor => {
    const shape: [number, number, number, number] = [n, ...whole, filter.shape[2] ?? 1];
    const full = tf.conv2dTranspose(rank4(x), rank4(filter), shape, [...strides], "valid");
    return windowOf(tf, full, { start: [pads.top, pads.left], extent: [height, width] });
  };
  return {
    filter: (weight) => dilated(tf, filterOf(tf, weight), dilations),
    kernel: perGroup(tf, group, apply, 3),
  };
}

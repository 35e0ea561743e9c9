import type { Pair } from "../../../graph/vocabulary.ts";
import type { Kernel, Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";
import { marginsOf, rank4, spread } from "./images.ts";

type Convolution = "Conv" | "ConvTranspose";

/** Weights [A, B, kh, kw] as a filter [kh, kw, B, A]. */
export function filterOf(tf: TensorFlow, weight: TfTensor): TfTensor {
  return tf.transpose(weight, [2, 3, 1, 0]);
}

/** Weights [C * m, 1, kh, kw] of C groups as a filter [kh, kw, C, m]. */
export function depthwiseFilterOf(tf: TensorFlow, weight: TfTensor, groups: number): TfTensor {
  const [outputs = 1, , height = 1, width = 1] = weight.shape;
  return tf.transpose(tf.reshape(weight, [groups, outputs / groups, height, width]), [2, 3, 0, 1]);
}

/** Zeros between the taps. */
export function dilated(tf: TensorFlow, filter: TfTensor, [vertical, horizontal]: Pair): TfTensor {
  return spread(tf, spread(tf, filter, { axis: 0, step: vertical }), { axis: 1, step: horizontal });
}

/** Adds the bias [O], whose axis is the last in both. */
export function biased(context: LoweringContext<Convolution>, result: Value): Value {
  const { tf, bias, emit } = context;
  return bias === undefined ? result : emit((x, b) => tf.add(x, b), [result, bias], { layout: "last" });
}

const plain = [1, 1] as const;

export function isPlain([vertical, horizontal]: Pair): boolean {
  return vertical === 1 && horizontal === 1;
}

/** Runs of each group's channels: TensorFlow's kernels for the CPU and wasm know one group. */
export function perGroup(
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

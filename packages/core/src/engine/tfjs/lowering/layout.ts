import { axisIn, commonLayout, inLayout } from "../builder.ts";
import type { Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";

/** The values at some positions along an axis. */
export function gatherAlong(tf: TensorFlow, x: TfTensor, axis: number, positions: readonly number[]): TfTensor {
  return tf.gather(x, tf.tensor1d([...positions], "int32"), axis);
}

export function slice({ tf, node, operand, emit }: LoweringContext<"Slice">): Value {
  const x = operand(0);
  const { layout } = x;
  const [starts, sizes, steps] = [node.attributes.starts, node.attributes.sizes, node.attributes.steps].map((list) =>
    inLayout(layout, list),
  );
  if (starts === undefined || sizes === undefined || steps === undefined)
    throw new RangeError("A slice has three lists.");
  const isPlain = (axis: number): boolean => steps[axis] === 1;
  const cut = (value: TfTensor): TfTensor => {
    const begin = starts.map((start, axis) => (isPlain(axis) ? start : 0));
    const extents = sizes.map((size, axis) => (isPlain(axis) ? size : (value.shape[axis] ?? 1)));
    return steps.reduce(
      (rest, step, axis) => {
        if (step === 1) return rest;
        const positions = Array.from({ length: sizes[axis] ?? 0 }, (_, index) => (starts[axis] ?? 0) + index * step);
        return gatherAlong(tf, rest, axis, positions);
      },
      tf.slice(value, begin, extents),
    );
  };
  return emit(cut, [x], { layout });
}

/** Amounts on both sides of an axis. */
export type Margins = [before: number, after: number];

/** Repeats the values at the border, axis by axis. */
export function padEdge(tf: TensorFlow, x: TfTensor, margins: readonly Margins[]): TfTensor {
  return margins.reduce((value, [before, after], axis) => {
    if (before + after === 0) return value;
    const last = (value.shape[axis] ?? 1) - 1;
    const border = (position: number, times: number): TfTensor[] => {
      if (times === 0) return [];
      const starts = value.shape.map((_, index) => (index === axis ? position : 0));
      const line = tf.slice(
        value,
        starts,
        value.shape.map((extent, index) => (index === axis ? 1 : extent)),
      );
      return [
        tf.tile(
          line,
          value.shape.map((_, index) => (index === axis ? times : 1)),
        ),
      ];
    };
    return tf.concat([...border(0, before), value, ...border(last, after)], axis);
  }, x);
}

export function pad({ tf, node, operand, emit }: LoweringContext<"Pad">): Value {
  const x = operand(0);
  const { layout } = x;
  const { mode, before, after, value: fill } = node.attributes;
  const margins = inLayout(
    layout,
    before.map((amount, axis): Margins => [amount, after[axis] ?? 0]),
  );
  const pads: { readonly [M in typeof mode]: (value: TfTensor) => TfTensor } = {
    constant: (value) => tf.pad(value, margins, fill),
    edge: (value) => padEdge(tf, value, margins),
    reflect: (value) => tf.mirrorPad(value, margins, "reflect"),
  };
  return emit(pads[mode], [x], { layout });
}

export function concat({ tf, node, operands, as, emit }: LoweringContext<"Concat">): Value {
  const layout = commonLayout(operands);
  const axis = axisIn(layout, node.attributes.axis);
  const aligned = operands.map((value) => as(value, layout));
  return emit((...values) => tf.concat(values, axis), aligned, { layout });
}

export function reshape({ tf, node, operand, as, emit }: LoweringContext<"Reshape">): Value {
  return emit((value) => tf.reshape(value, [...node.shape]), [as(operand(0), "first")]);
}

export function transpose({ tf, node, operand, as, emit }: LoweringContext<"Transpose">): Value {
  return emit((value) => tf.transpose(value, [...node.attributes.permutation]), [as(operand(0), "first")]);
}

/** An image comes out as convolutions want it: what is expanded is most often a gradient on its way back to them. */
export function expand({ tf, node, operand, as, emit }: LoweringContext<"Expand">): Value {
  const layout = node.shape.length === 4 ? "last" : "first";
  const shape = inLayout(layout, node.shape);
  return emit((value) => tf.broadcastTo(value, shape), [as(operand(0), layout)], { layout });
}

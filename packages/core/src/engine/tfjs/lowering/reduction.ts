import { sizeOf, tensorOf } from "../../../graph/tensor.ts";
import type { ReductionAttributes } from "../../../graph/vocabulary.ts";
import { axisIn } from "../builder.ts";
import type { Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";

type Reduction = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceLogSumExp";
type AnyReduction = LoweringContext<Reduction>;

/** Over some axes, which stay. */
type Reduce = (tf: TensorFlow, x: TfTensor, axes: readonly number[]) => TfTensor;

function axesIn(x: Value, { axes }: ReductionAttributes): readonly number[] {
  return axes.map((axis) => axisIn(x.layout, axis));
}

export function reduction(reduce: Reduce): (context: AnyReduction) => Value {
  return ({ tf, node, operand, emit }) => {
    const x = operand(0);
    const axes = axesIn(x, node.attributes);
    return emit((value) => reduce(tf, value, axes), [x], { layout: x.layout });
  };
}

/**
 * One axis after the other: kernels that add up one value after the other lose digits with their number, and rows are fewer
 * than pixels.
 */
export const sum: Reduce = (tf, x, axes) => axes.toReversed().reduce((total, axis) => tf.sum(total, axis, true), x);

export const mean: Reduce = (tf, x, axes) => {
  const count = axes.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1);
  return tf.div(sum(tf, x, axes), tf.scalar(count));
};

/** Stands for minus infinity where that is subtracted from itself. */
const lowest = -3.4e38;

/** exp(x - maximum) over some axes, and the maximum. */
function exponentials(
  { tf, node, emit }: Pick<AnyReduction | LoweringContext<"Softmax">, "tf" | "node" | "emit">,
  x: Value,
  axes: readonly number[],
): { readonly values: Value; readonly maximum: Value } {
  const { layout } = x;
  const largest = (value: TfTensor): TfTensor => tf.maximum(tf.max(value, [...axes], true), tf.scalar(lowest));
  const reduced = node.op === "Softmax" ? node.shape.with(node.attributes.axis, 1) : node.shape;
  const maximum = emit(largest, [x], { layout, shape: reduced });
  const values = emit((value, most) => tf.exp(tf.sub(value, most)), [x, maximum], { layout, shape: x.shape });
  return { values, maximum };
}

export function logSumExp(context: LoweringContext<"ReduceLogSumExp">): Value {
  const { tf, node, operand, emit } = context;
  const x = operand(0);
  const axes = axesIn(x, node.attributes);
  const { values, maximum } = exponentials(context, x, axes);
  const combine = (value: TfTensor, most: TfTensor): TfTensor => tf.add(tf.log(sum(tf, value, axes)), most);
  return emit(combine, [values, maximum], { layout: x.layout });
}

export function softmax(context: LoweringContext<"Softmax">): Value {
  const { tf, node, operand, emit } = context;
  const x = operand(0);
  const axis = axisIn(x.layout, node.attributes.axis);
  const { values } = exponentials(context, x, [axis]);
  return emit((value) => tf.div(value, tf.sum(value, axis, true)), [values], { layout: x.layout });
}

/** The least index at which the maximum is: TensorFlow's own does not say which of several it gives. */
export function argMax({ tf, node, operand, as, constant, emit }: LoweringContext<"ArgMax">): Value {
  const x = as(operand(0), "first");
  const { axis } = node.attributes;
  const extent = x.shape[axis] ?? 1;
  const shape = x.shape.map((_, index) => (index === axis ? extent : 1));
  const indices = constant(
    tensorOf(
      "int32",
      shape,
      Int32Array.from({ length: sizeOf(shape) }, (_, index) => index),
    ),
  );
  const first = (value: TfTensor, index: TfTensor): TfTensor => {
    const isMaximum = tf.equal(value, tf.max(value, axis, true));
    return tf.min(tf.where(isMaximum, index, tf.scalar(extent, "int32")), axis, true);
  };
  return emit(first, [x, indices]);
}

export function matMul({ tf, node, operand, as, emit }: LoweringContext<"MatMul">): Value {
  const [a, b] = [as(operand(0), "first"), as(operand(1), "first")];
  const batch = node.shape.slice(0, -2);
  const [rows = 1, columns = 1] = node.shape.slice(-2);
  const inner = a.shape.at(-1) ?? 1;
  const matrices = (x: TfTensor, shape: readonly [number, number]): TfTensor => {
    const whole = [...batch, ...shape];
    const spread = sizeOf(x.shape) === sizeOf(whole) ? x : tf.broadcastTo(x, whole);
    return tf.reshape(spread, [sizeOf(batch), ...shape]);
  };
  const multiply = (left: TfTensor, right: TfTensor): TfTensor =>
    tf.reshape(tf.matMul(matrices(left, [rows, inner]), matrices(right, [inner, columns])), [...node.shape]);
  return emit(multiply, [a, b]);
}

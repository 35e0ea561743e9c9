import type { ElementType } from "../../../graph/tensor.ts";
import type { OperatorName } from "../../../graph/vocabulary.ts";
import { commonLayout } from "../builder.ts";
import type { Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import { heldAs } from "../tensors.ts";
import type { LoweringContext } from "./context.ts";

type Plain = LoweringContext<OperatorName>;

type UnaryKernel = (tf: TensorFlow, x: TfTensor) => TfTensor;
type BinaryKernel = (tf: TensorFlow, a: TfTensor, b: TfTensor) => TfTensor;

/** In the layout that the operand has. */
export function unary(apply: UnaryKernel): (context: Plain) => Value {
  return ({ tf, operand, emit }) => {
    const x = operand(0);
    return emit((value) => apply(tf, value), [x], { layout: x.layout });
  };
}

export function binary(apply: BinaryKernel): (context: Plain) => Value {
  return ({ tf, operand, as, emit }) => {
    const [a, b] = [operand(0), operand(1)];
    const layout = commonLayout([a, b]);
    return emit((left, right) => apply(tf, left, right), [as(a, layout), as(b, layout)], { layout });
  };
}

/** TensorFlow compares to booleans; the vocabulary to 0 and 1 in float32. */
export function comparison(apply: BinaryKernel): (context: Plain) => Value {
  return binary((tf, a, b) => tf.cast(apply(tf, a, b), "float32"));
}

/** Integers are divided towards zero. */
export const divide = binary((tf, a, b) => {
  if (a.dtype !== "int32") return tf.div(a, b);
  return tf.mul(tf.mul(tf.sign(a), tf.sign(b)), tf.floorDiv(tf.abs(a), tf.abs(b)));
});

export function clip({ tf, node, operand, emit }: LoweringContext<"Clip">): Value {
  const x = operand(0);
  const { min, max } = node.attributes;
  return emit((value) => tf.clipByValue(value, min, max), [x], { layout: x.layout });
}

/** How many values an unsigned type has, of which others are the remainder. */
const ranges: { readonly [T in ElementType]?: number } = { uint8: 2 ** 8, uint16: 2 ** 16 };

/** Towards zero. What a float becomes beyond an integer type's range is left open, as ONNX does. */
export function cast({ tf, node, operand, emit }: LoweringContext<"Cast">): Value {
  const x = operand(0);
  const { to } = node.attributes;
  const from = node.inputs[0].type;
  const layout = { layout: x.layout };
  if (to === "bool") return emit((value) => tf.cast(tf.notEqual(value, tf.zerosLike(value)), "int32"), [x], layout);
  const range = ranges[to];
  if (range !== undefined && heldAs[from] === "int32" && from !== "bool" && (ranges[from] ?? Infinity) > range) {
    const remainder = (value: TfTensor): TfTensor => {
      const divisor = tf.scalar(range, "int32");
      return tf.sub(value, tf.mul(tf.floorDiv(value, divisor), divisor));
    };
    return emit(remainder, [x], layout);
  }
  return heldAs[from] === heldAs[to] ? x : emit((value) => tf.cast(value, heldAs[to]), [x], layout);
}

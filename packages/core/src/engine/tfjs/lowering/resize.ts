import { resizedExtent } from "../../../graph/extents.ts";
import { tapsOf } from "../../../graph/resampling.ts";
import type { ResizeAttributes } from "../../../graph/vocabulary.ts";
import { axisIn } from "../builder.ts";
import type { Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";

/** The two spatial axes, of the graph and of `extent` and `scales`. */
const spatialAxes = [
  { axis: 2, index: 0 },
  { axis: 3, index: 1 },
] as const;

/** Tensors that are the same in every run. */
const fixed = { shape: [], layout: "first" } as const;

/** One axis after the other: of nearest the values themselves, of linear the sum of two with their shares. */
export function resize({ tf, node, operand, emit, prepare }: LoweringContext<"Resize">): Value {
  const { attributes } = node;
  return spatialAxes.reduce((x, { axis, index }) => {
    const [extent, resized] = [x.shape[axis] ?? 1, node.shape[axis] ?? 1];
    const scale = attributes.scales[index];
    if (scale === 1) return x;
    const { layout } = x;
    const at = axisIn(layout, axis);
    const taps = tapsOf({ extent, resized, scale }, attributes);
    const side = (tap: 0 | 1): { readonly positions: Value; readonly weights: Value } => {
      const shares = taps.map((all) => all[tap] ?? { position: 0, weight: 0 });
      const ofRank4 = [0, 1, 2, 3].map((other) => (other === at ? resized : 1));
      return {
        positions: prepare(
          () =>
            tf.tensor1d(
              shares.map(({ position }) => position),
              "int32",
            ),
          [],
          fixed,
        ),
        weights: prepare(
          () =>
            tf.tensor(
              shares.map(({ weight }) => weight),
              ofRank4,
              "float32",
            ),
          [],
          fixed,
        ),
      };
    };
    const result = { layout, shape: x.shape.with(axis, resized) };
    const near = side(0);
    if (attributes.mode === "nearest") {
      return emit((value, positions) => tf.gather(value, positions, at), [x, near.positions], result);
    }
    const share = (value: TfTensor, positions: TfTensor, weights: TfTensor): TfTensor =>
      tf.mul(tf.gather(value, positions, at), weights);
    const far = side(1);
    const first = emit(share, [x, near.positions, near.weights], result);
    return emit(
      (sum, value, positions, weights) => tf.add(sum, share(value, positions, weights)),
      [first, x, far.positions, far.weights],
      result,
    );
  }, operand(0));
}

/** The matrix [resized, extent] that Resize is along an axis. */
function matrixOf(
  tf: TensorFlow,
  { extent, scale }: { readonly extent: number; readonly scale: number },
  attributes: ResizeAttributes,
): TfTensor {
  const resized = resizedExtent(extent, scale);
  const values = new Float32Array(resized * extent);
  for (const [output, shares] of tapsOf({ extent, resized, scale }, attributes).entries()) {
    for (const { position, weight } of shares) {
      values[output * extent + position] = (values[output * extent + position] ?? 0) + weight;
    }
  }
  return tf.tensor(values, [resized, extent]);
}

function multiplyAlong(tf: TensorFlow, x: TfTensor, matrix: TfTensor, axis: number): TfTensor {
  const others = [0, 1, 2, 3].filter((index) => index !== axis);
  const order = [...others, axis];
  const turned = tf.transpose(x, order);
  const product = tf.matMul(tf.reshape(turned, [-1, x.shape[axis] ?? 1]), matrix);
  const shaped = tf.reshape(product, turned.shape.with(3, matrix.shape[1] ?? 1));
  return tf.transpose(
    shaped,
    [0, 1, 2, 3].map((index) => order.indexOf(index)),
  );
}

export function resizeGradient({ tf, node, operand, emit, prepare }: LoweringContext<"ResizeGradient">): Value {
  const { attributes } = node;
  return spatialAxes.reduce((gradient, { axis, index }) => {
    const [extent, scale] = [attributes.extent[index], attributes.scales[index]];
    if (scale === 1) return gradient;
    const { layout } = gradient;
    const matrix = prepare(() => matrixOf(tf, { extent, scale }, attributes), [], fixed);
    const multiply = (value: TfTensor, factors: TfTensor): TfTensor =>
      multiplyAlong(tf, value, factors, axisIn(layout, axis));
    return emit(multiply, [gradient, matrix], { layout, shape: gradient.shape.with(axis, extent) });
  }, operand(0));
}

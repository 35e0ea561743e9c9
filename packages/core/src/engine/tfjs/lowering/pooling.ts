import { spanOf } from "../../../graph/extents.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { Shape } from "../../../graph/tensor.ts";
import type { MaxPoolAttributes, Pair } from "../../../graph/vocabulary.ts";
import type { Layout, Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";
import { padded, rank4, windowOf } from "./images.ts";

/** Where the taps of a window lie, in row-major order. */
function offsetsOf({ kernel, dilations }: Pick<MaxPoolAttributes, "kernel" | "dilations">): readonly Pair[] {
  return Array.from({ length: kernel[0] }, (_, row) =>
    Array.from({ length: kernel[1] }, (_, column): Pair => [row * dilations[0], column * dilations[1]]),
  ).flat();
}

/** What one tap of every window sees of a padded image. */
function seenBy(tf: TensorFlow, x: TfTensor, offset: Pair, { strides, windows }: { strides: Pair; windows: Pair }) {
  const [n = 1, , , channels = 1] = x.shape;
  const ends = [0, 1].map((axis) => (offset[axis] ?? 0) + ((windows[axis] ?? 1) - 1) * (strides[axis] ?? 1) + 1);
  return tf.stridedSlice(x, [0, ...offset, 0], [n, ...ends, channels], [1, ...strides, 1]);
}

function pooled(tf: TensorFlow, x: TfTensor, attributes: MaxPoolAttributes, windows: Pair): TfTensor {
  const { kernel, strides, dilations } = attributes;
  if (dilations[0] === 1 && dilations[1] === 1) return tf.maxPool(rank4(x), [...kernel], [...strides], "valid");
  return offsetsOf(attributes)
    .map((offset) => seenBy(tf, x, offset, { strides, windows }))
    .reduce((most, seen) => tf.maximum(most, seen));
}

function spatial(shape: Shape): Pair {
  const [, , height = 1, width = 1] = shape;
  return [height, width];
}

const images: { readonly layout: Layout } = { layout: "last" };

export function maxPool({ tf, node, operand, as, emit }: LoweringContext<"MaxPool">): Value {
  const { attributes } = node;
  const windows = spatial(node.shape);
  const kernel = (x: TfTensor): TfTensor => pooled(tf, padded(tf, x, attributes.pads, -Infinity), attributes, windows);
  return emit(kernel, [as(operand(0), "last")], images);
}

/**
 * For each tap of the window, in row-major order, what it sees is compared with the pooled value; the first that is equal
 * takes the gradient. What the taps took is put back in place by depth-to-space: taps that are equal modulo the stride
 * share a place, shifted against each other by whole windows.
 */
export function maxPoolGradient({ tf, node, operand, as, emit }: LoweringContext<"MaxPoolGradient">): Value {
  const { attributes } = node;
  const { strides, pads } = attributes;
  const [x, gradient] = [as(operand(0), "last"), as(operand(1), "last")];
  const windows = spatial(gradient.shape);
  const taken = { ...images, shape: gradient.shape };
  const framed = emit((image) => tf.clone(padded(tf, image, pads, -Infinity)), [x], images);
  const most = emit((image) => pooled(tf, image, attributes, windows), [framed], taken);
  const zero = (): TfTensor => tf.scalar(0);

  let before: Value | undefined;
  const places = new Map<string, Value>();
  const extent = blocksOf(attributes, spatial(x.shape), windows);
  for (const offset of offsetsOf(attributes)) {
    const isMaximum = (image: TfTensor, value: TfTensor): TfTensor =>
      tf.equal(seenBy(tf, image, offset, { strides, windows }), value);
    const first: Value =
      before === undefined
        ? emit(isMaximum, [framed, most], taken)
        : emit(
            (image, value, earlier) => tf.logicalAnd(isMaximum(image, value), tf.logicalNot(earlier)),
            [framed, most, before],
            taken,
          );
    before = before === undefined ? first : emit((earlier, now) => tf.logicalOr(earlier, now), [before, first], taken);
    const [down, right] = [Math.floor(offset[0] / strides[0]), Math.floor(offset[1] / strides[1])];
    const place = `${offset[0] % strides[0]},${offset[1] % strides[1]}`;
    const shifted = (isFirst: TfTensor, values: TfTensor): TfTensor =>
      padded(
        tf,
        tf.where(isFirst, values, zero()),
        {
          top: down,
          left: right,
          bottom: extent[0] - windows[0] - down,
          right: extent[1] - windows[1] - right,
        },
        0,
      );
    const others = places.get(place);
    const whole = { ...images, shape: [] };
    places.set(
      place,
      others === undefined
        ? emit(shifted, [first, gradient], whole)
        : emit((isFirst, values, sum) => tf.add(sum, shifted(isFirst, values)), [first, gradient, others], whole),
    );
  }
  const order = Array.from({ length: strides[0] }, (_, row) =>
    Array.from({ length: strides[1] }, (_, column) => places.get(`${row},${column}`)),
  ).flat();
  const present = order.filter((value) => value !== undefined);
  const spreadOut = (...values: TfTensor[]): TfTensor => {
    let next = 0;
    const all = order.flatMap((place) => {
      const value = place === undefined ? tf.zerosLike(values.slice(0, 1)[0] ?? zero()) : values[next];
      if (place !== undefined) next += 1;
      return value === undefined ? [] : [value];
    });
    const image = interleaved(tf, all, strides);
    return tf.clone(windowOf(tf, image, { start: [pads.top, pads.left], extent: spatial(x.shape) }));
  };
  return emit(spreadOut, present, images);
}

/** Blocks of `strides` that hold all windows and the whole image, along each axis. */
function blocksOf({ kernel, strides, dilations, pads }: MaxPoolAttributes, size: Pair, windows: Pair): Pair {
  const along = (axis: 0 | 1, start: number): number => {
    const stride = strides[axis];
    const reach = Math.floor((spanOf({ kernel: kernel[axis], dilation: dilations[axis] }) - 1) / stride);
    return Math.max(Math.ceil((start + size[axis]) / stride), windows[axis] + reach);
  };
  return [along(0, pads.top), along(1, pads.left)];
}

/** One image of `strides` times the extent, from one for each place in its blocks. */
function interleaved(tf: TensorFlow, places: TfTensor[], strides: Pair): TfTensor {
  const [n = 1, rows = 1, columns = 1, channels = 1] = places[0]?.shape ?? [];
  const joined = tf.concat(places, 3);
  const [vertical, horizontal] = strides;
  if (vertical === horizontal) return vertical === 1 ? joined : tf.depthToSpace(rank4(joined), vertical, "NHWC");
  // One axis after the other, in four axes.
  const blocks = tf.reshape(joined, [n * rows * columns, vertical, horizontal, channels]);
  const lines = tf.reshape(blocks, [n * rows, columns, vertical, horizontal * channels]);
  return tf.reshape(tf.transpose(lines, [0, 2, 1, 3]), [n, rows * vertical, columns * horizontal, channels]);
}

export function averagePool({ tf, node, operand, as, constant, emit }: LoweringContext<"AveragePool">): Value {
  const { kernel, strides, pads, countIncludePad } = node.attributes;
  const x = as(operand(0), "last");
  const mean = (image: TfTensor): TfTensor =>
    tf.avgPool(rank4(padded(tf, image, pads, 0)), [...kernel], [...strides], "valid");
  const pool = emit(mean, [x], images);
  if (countIncludePad || pads.top + pads.left + pads.bottom + pads.right === 0) return pool;
  const [rows, columns] = spatial(node.shape);
  const [height, width] = spatial(x.shape);
  const within = (start: number, size: number, extent: number): number =>
    Math.min(extent, start + size) - Math.max(0, start);
  const shares = Float32Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const inside =
      within(row * strides[0] - pads.top, kernel[0], height) *
      within(column * strides[1] - pads.left, kernel[1], width);
    return (kernel[0] * kernel[1]) / inside;
  });
  const share = as(constant(tensorOf("float32", [1, 1, rows, columns], shares)), "last");
  return emit((value, factor) => tf.mul(value, factor), [pool, share], images);
}

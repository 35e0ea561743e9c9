import { spanOf } from "../../../graph/extents.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { Shape } from "../../../graph/tensor.ts";
import type { MaxPoolAttributes, Pair } from "../../../graph/vocabulary.ts";
import type { Layout, Value } from "../builder.ts";
import type { TensorFlow, TfTensor } from "../tensorflow.ts";
import type { LoweringContext } from "./context.ts";
import { interleaved, padded, placeOf, rank4, windowOf } from "./images.ts";

/** Where the taps of a window lie, in row-major order. */
function offsetsOf({ kernel, dilations }: Pick<MaxPoolAttributes, "kernel" | "dilations">): readonly Pair[] {
  return Array.from({ length: kernel[0] }, (_, row) =>
    Array.from({ length: kernel[1] }, (_, column): Pair => [row * dilations[0], column * dilations[1]]),
  ).flat();
}

function spatial(shape: Shape): Pair {
  const [, , height = 1, width = 1] = shape;
  return [height, width];
}

/** An image of some windows, in blocks as large as the strides. */
interface Windows {
  readonly attributes: MaxPoolAttributes;
  readonly size: Pair;
  readonly windows: Pair;
}

/** Blocks that hold all windows and the whole image, along each axis. */
function blocksOf({ attributes, size, windows }: Windows): Pair {
  const { kernel, strides, dilations, pads } = attributes;
  const along = (axis: 0 | 1, start: number): number => {
    const stride = strides[axis];
    const reach = Math.floor((spanOf({ kernel: kernel[axis], dilation: dilations[axis] }) - 1) / stride);
    return Math.max(Math.ceil((start + size[axis]) / stride), windows[axis] + reach);
  };
  return [along(0, pads.top), along(1, pads.left)];
}

/** The image within its pads, up to whole blocks. */
function framed(tf: TensorFlow, x: TfTensor, all: Windows): TfTensor {
  const { attributes, size } = all;
  const { strides, pads } = attributes;
  const [rows, columns] = blocksOf(all);
  const bottom = rows * strides[0] - pads.top - size[0];
  const right = columns * strides[1] - pads.left - size[1];
  return padded(tf, x, { top: pads.top, left: pads.left, bottom, right }, -Infinity);
}

/** What one tap of every window sees of a framed image. */
function seenBy(tf: TensorFlow, frame: TfTensor, offset: Pair, { attributes, windows }: Windows): TfTensor {
  return placeOf(tf, frame, { strides: attributes.strides, offset, extent: windows });
}

const images: { readonly layout: Layout } = { layout: "last" };

export function maxPool({ tf, node, operand, as, emit }: LoweringContext<"MaxPool">): Value {
  const { attributes } = node;
  const { kernel, strides, dilations, pads } = attributes;
  const x = as(operand(0), "last");
  const isDilated = dilations.some((dilation) => dilation !== 1);
  const all = { attributes, size: spatial(x.shape), windows: spatial(node.shape) };
  const pool = (image: TfTensor): TfTensor =>
    tf.maxPool(rank4(padded(tf, image, pads, -Infinity)), [...kernel], [...strides], "valid");
  const ofTaps = (image: TfTensor): TfTensor => {
    const frame = framed(tf, image, all);
    return offsetsOf(attributes)
      .map((offset) => seenBy(tf, frame, offset, all))
      .reduce((most, seen) => tf.maximum(most, seen));
  };
  return emit(isDilated ? ofTaps : pool, [x], images);
}

/**
 * For each tap of the window, in row-major order, what it sees is compared with the pooled value; the first that is equal
 * takes the gradient. Then it is put back in place: taps that are equal modulo the stride share a place in its blocks, shifted
 * against each other by whole windows.
 */
export function maxPoolGradient({ tf, node, operand, as, emit, prepare }: LoweringContext<"MaxPoolGradient">): Value {
  const { attributes } = node;
  const { strides, pads } = attributes;
  const [x, gradient] = [as(operand(0), "last"), as(operand(1), "last")];
  const all: Windows = { attributes, size: spatial(x.shape), windows: spatial(gradient.shape) };
  const { size, windows } = all;
  const [rows, columns] = blocksOf(all);
  const pooled = { ...images, shape: gradient.shape };
  const placed = { ...images, shape: [...x.shape.slice(0, 2), rows, columns] };

  const frame = emit((image) => framed(tf, image, all), [x], {
    ...images,
    shape: [...x.shape.slice(0, 2), rows * strides[0], columns * strides[1]],
  });
  const taps = offsetsOf(attributes).map((offset) => {
    return { offset, seen: emit((image) => seenBy(tf, image, offset, all), [frame], pooled) };
  });
  const maximum = taps
    .map(({ seen }) => seen)
    .reduce((a, b) => emit((left, right) => tf.maximum(left, right), [a, b], pooled));
  const zeros = emit((values) => tf.zerosLike(values), [gradient], pooled);

  let before: Value | undefined;
  const places = new Map<string, Value>();
  for (const { offset, seen } of taps) {
    const isMaximum = emit((value, most) => tf.equal(value, most), [seen, maximum], pooled);
    const isFirst: Value =
      before === undefined
        ? isMaximum
        : emit((now, earlier) => tf.logicalAnd(now, tf.logicalNot(earlier)), [isMaximum, before], pooled);
    before = before === undefined ? isMaximum : emit((a, b) => tf.logicalOr(a, b), [before, isMaximum], pooled);
    const [top, left] = [Math.floor(offset[0] / strides[0]), Math.floor(offset[1] / strides[1])];
    const margins = { top, left, bottom: rows - windows[0] - top, right: columns - windows[1] - left };
    const place = `${offset[0] % strides[0]},${offset[1] % strides[1]}`;
    const known = places.get(place);
    const take = (first: TfTensor, values: TfTensor, none: TfTensor): TfTensor =>
      padded(tf, tf.where(first, values, none), margins, 0);
    places.set(
      place,
      known === undefined
        ? emit(take, [isFirst, gradient, zeros], placed)
        : emit(
            (first, values, none, sum) => tf.add(sum, take(first, values, none)),
            [isFirst, gradient, zeros, known],
            placed,
          ),
    );
  }
  const order = Array.from({ length: strides[0] * strides[1] }, (_, index) => {
    const place = places.get(`${Math.floor(index / strides[1])},${index % strides[1]}`);
    // Where the strides are wider than the window, no tap has this place.
    return place ?? prepare(() => tf.zeros([x.shape[0] ?? 1, rows, columns, x.shape[1] ?? 1]), [], placed);
  });
  const inPlace = (...values: TfTensor[]): TfTensor =>
    windowOf(tf, interleaved(tf, values, strides), { start: [pads.top, pads.left], extent: size });
  return emit(inPlace, order, images);
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

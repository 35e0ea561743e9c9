import { add, concat, constant, mul, reduceSum, reshape, slice, transpose } from "../build.ts";
import { foldedConstant } from "../fold-constants.ts";
import type { Node, NodeOf } from "../node.ts";
import { remembered } from "../remembered.ts";
import { elementsOf, float32, sizeOf } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";
import type { Pair } from "../vocabulary.ts";

/** A Constant [from, to, height, width], a kernel for each pair of channels: a ConvTranspose's weight, or a Conv's [to, from, height, width]. */
export type Kernels = NodeOf<"Constant">;

/**
 * Multiply-adds beyond which kernels are not put together, at a nanosecond each, once for a model: a thirtieth of a second, or, up to a quarter,
 * what some six runs of the two steps gain where one step takes three quarters of their time (at 200 GFLOP/s).
 */
function mostWork(flops: number): number {
  return Math.min(2 ** 28, Math.max(2 ** 25, flops / 128));
}

/** What is made of two Constants goes with their tensors, those with the model: tiles of all kinds, and images of all sizes, take the same. */
function rememberedOfBoth(
  make: (first: Kernels, second: Kernels) => Kernels,
): (first: Kernels, second: Kernels) => Kernels {
  const known = remembered((_: Tensor) => new WeakMap<Tensor, Kernels>());
  return (first, second) => {
    const ofFirst = known(first.attributes.tensor);
    const made = ofFirst.get(second.attributes.tensor) ?? make(first, second);
    ofFirst.set(second.attributes.tensor, made);
    return made;
  };
}

const product = rememberedOfBoth(multiplied);

/**
 * The kernels of two steps in one, as convolution is associative: [I, M, a, b] and [M, O, c, d] give [I, O, a + c - 1, b + d - 1],
 *
 *     product[i, o, y] = sum over m, t of first[i, m, t] second[m, o, y - t].
 *
 * Sums are in float64, rounded to float32 once.
 * @param flops Of the two steps; none by default.
 * @returns `undefined` where that would take longer than it is worth.
 */
export function kernelProduct(first: Kernels, second: Kernels, flops = 0): Kernels | undefined {
  const [, to = 0, rows = 0, columns = 0] = second.shape;
  return sizeOf(first.shape) * to * rows * columns > mostWork(flops) ? undefined : product(first, second);
}

/** Middle channels that are summed together: each sum is read and written a quarter as often. */
const atOnce = 4;

function multiplied(first: Kernels, second: Kernels): Kernels {
  const [inputs = 0, middles = 0, height = 0, width = 0] = first.shape;
  const [, outputs = 0, rows = 0, columns = 0] = second.shape;
  const [tall, wide] = [height + rows - 1, width + columns - 1];
  const factors = elementsOf(first.attributes.tensor);
  // Columns and channels of a row side by side: the inner loop is flat.
  const lines = elementsOf(folded(transpose(second, [0, 2, 3, 1])).attributes.tensor);
  const line = columns * outputs;
  const sums = new Float64Array(inputs * tall * wide * outputs);
  for (let place = 0; place < inputs * height * width; place += 1) {
    const input = Math.floor(place / (height * width));
    const [y, x] = [Math.floor(place / width) % height, place % width];
    const factor = (middle: number): number =>
      middle < middles ? (factors[((input * middles + middle) * height + y) * width + x] ?? 0) : 0;
    for (let middle = 0; middle < middles; middle += atOnce) {
      const [a, b, c, d] = [factor(middle), factor(middle + 1), factor(middle + 2), factor(middle + 3)];
      for (let row = 0; row < rows; row += 1) {
        const into = ((input * tall + y + row) * wide + x) * outputs;
        const from = (middle * rows + row) * line;
        for (let at = 0; at < line; at += 1) {
          const own = from + at;
          sums[into + at] =
            (sums[into + at] ?? 0) +
            a * (lines[own] ?? 0) +
            b * (lines[own + rows * line] ?? 0) +
            c * (lines[own + 2 * rows * line] ?? 0) +
            d * (lines[own + 3 * rows * line] ?? 0);
        }
      }
    }
  }
  const lastChannels = constant(float32([inputs, tall, wide, outputs], Float32Array.from(sums)));
  return folded(transpose(lastChannels, [0, 3, 1, 2]));
}

const boxes = new Map<string, Kernels>();

/** [1, 1, height, width] of equal values: the same one for the same arguments. */
function box([height, width]: Pair, value: number): Kernels {
  const key = `${height} ${width} ${value}`;
  const found =
    boxes.get(key) ?? constant(float32([1, 1, height, width], new Float32Array(height * width).fill(value)));
  boxes.set(key, found);
  return found;
}

/** Each kernel convolved with a box of one value: what is done to every channel by itself before or after. */
export function spread(kernels: Kernels, size: Pair, value: number): Kernels | undefined {
  const [a = 1, b = 1, height = 1, width = 1] = kernels.shape;
  const each = kernelProduct(folded(reshape(kernels, [a * b, 1, height, width])), box(size, value));
  return each && folded(reshape(each, [a, b, height + size[0] - 1, width + size[1] - 1]));
}

/** A convolution's weight [O, M, kh, kw] as that of the transposed one that is the same step: [M, O, kh, kw], each kernel half a turn on. */
export function turned(weight: Kernels): Kernels {
  const exchanged = folded(transpose(weight, [1, 0, 2, 3]));
  const starts = exchanged.shape.map((extent, axis) => (axis < 2 ? 0 : extent - 1));
  return folded(slice(exchanged, { starts, sizes: exchanged.shape, steps: [1, 1, -1, -1] }));
}

/** The kernels of more channels behind those of others. */
export const joined = rememberedOfBoth((first, second) => folded(concat([first, second], 0)));

/** [O]: what weight [O, M, kh, kw] makes of an image of the constants [M], away from pads. */
export const throughWeight = rememberedOfBoth((weight, constants) => {
  const [outputs = 1] = weight.shape;
  const products = mul(weight, reshape(constants, [1, ...constants.shape, 1, 1]));
  return folded(reshape(reduceSum(products, [1, 2, 3]), [outputs]));
});

/** The sum of those that are there. */
export function sumOf(first: Kernels | undefined, second: Kernels | undefined): Kernels | undefined {
  return first === undefined || second === undefined ? (first ?? second) : folded(add(first, second));
}

/** What is made of Constants, no larger than they are, is one: of a single one the same each time. */
export function folded(node: Node): Kernels {
  const result = foldedConstant(node);
  if (result.op !== "Constant") throw new RangeError(`${node.op} [${node.shape.join(", ")}] is no constant.`);
  return result;
}

import type { Pixels } from "../format/image.ts";

/**
 * Pixels of `from` give way to those of `to` in `order`, in steps of equal size: `steps + 1` images, the first of them `from`, the last `to`.
 * Both are of one size and sample type. It is one buffer that changes: use each image before asking for the next.
 */
export function* replacedStepwise(
  from: Pixels,
  to: Pixels,
  { order, steps }: { readonly order: Uint32Array; readonly steps: number },
): Generator<Pixels> {
  let done = 0;
  const image = copyOf(from);
  for (let step = 0; step <= steps; step += 1) {
    const until = Math.round((step / steps) * order.length);
    for (const pixel of order.subarray(done, until)) {
      for (let at = 3 * pixel; at < 3 * pixel + 3; at += 1) image.data[at] = to.data[at] ?? 0;
    }
    done = until;
    yield image;
  }
}

function copyOf(pixels: Pixels): Pixels {
  return pixels.samples === "uint8"
    ? { ...pixels, data: pixels.data.slice() }
    : { ...pixels, data: pixels.data.slice() };
}

/**
 * Area under a curve over 0..1 by the trapezoidal rule, from equally spaced values. Of the probability while the most relevant pixels
 * come first it is the insertion score (higher is better), while they go first the deletion score (lower is better): Petsiuk, Das and
 * Saenko, BMVC 2018, "RISE".
 */
export function areaUnderCurve(values: readonly number[]): number {
  const inner = values.reduce((sum, value) => sum + value, 0);
  const ends = ((values.at(0) ?? Number.NaN) + (values.at(-1) ?? Number.NaN)) / 2;
  return (inner - ends) / (values.length - 1);
}

/** An image of the mean colour: what deletion leaves. */
export function meanColour(pixels: Pixels): Pixels {
  const count = pixels.width * pixels.height;
  const sums = [0, 0, 0];
  for (const [index, value] of pixels.data.entries()) sums[index % 3] = (sums[index % 3] ?? 0) + value;
  return withData(pixels, (index) => (sums[index % 3] ?? 0) / count);
}

/** Standard deviation of the blur that insertion begins from, in pixels, as in the authors' code (for images of 224 px). */
const blurDeviation = 5;

/**
 * The image blurred: three passes of moving means, which are near a Gaussian (Kovesi 2010, "Fast almost-Gaussian filtering"). Beyond the border
 * its last pixels are repeated.
 */
export function blurred(pixels: Pixels): Pixels {
  const { width, height } = pixels;
  let values = Float64Array.from(pixels.data);
  for (const radius of boxRadii(blurDeviation)) {
    values = movingMean(values, { lines: height, length: width, line: 3 * width, step: 3, radius });
    values = movingMean(values, { lines: width, length: height, line: 3, step: 3 * width, radius });
  }
  return withData(pixels, (index) => values[index] ?? 0);
}

/** Radii of three means whose variances sum to nearly that of the Gaussian. */
function boxRadii(deviation: number): readonly number[] {
  const passes = 3;
  const ideal = Math.sqrt((12 * deviation ** 2) / passes + 1);
  const lower = Math.floor((ideal - 1) / 2) * 2 + 1;
  const narrow = Math.round(
    (12 * deviation ** 2 - passes * lower ** 2 - 4 * passes * lower - 3 * passes) / (-4 * lower - 4),
  );
  return Array.from({ length: passes }, (_, pass) => (pass < narrow ? lower - 1 : lower + 1) / 2);
}

function movingMean(
  values: Float64Array,
  lines: {
    readonly lines: number;
    readonly length: number;
    /** From a line to the next, and from a pixel to the next one on it. */
    readonly line: number;
    readonly step: number;
    readonly radius: number;
  },
): Float64Array<ArrayBuffer> {
  const { length, step, radius } = lines;
  const means = new Float64Array(values.length);
  for (let line = 0; line < lines.lines; line += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      const start = line * lines.line + channel;
      const at = (position: number): number => values[start + Math.min(length - 1, Math.max(0, position)) * step] ?? 0;
      let sum = 0;
      for (let position = -radius; position <= radius; position += 1) sum += at(position);
      for (let position = 0; position < length; position += 1) {
        means[start + position * step] = sum / (2 * radius + 1);
        sum += at(position + radius + 1) - at(position - radius);
      }
    }
  }
  return means;
}

function withData(pixels: Pixels, value: (index: number) => number): Pixels {
  const round = (_: number, index: number): number => Math.round(value(index));
  return pixels.samples === "uint8"
    ? { ...pixels, data: Uint8Array.from(pixels.data, round) }
    : { ...pixels, data: Uint16Array.from(pixels.data, round) };
}

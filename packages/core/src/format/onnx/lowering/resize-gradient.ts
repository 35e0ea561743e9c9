import { resizedExtent } from "../../../graph/extents.ts";
import { tapsOf } from "../../../graph/resampling.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { Attributes as AttributesOf, Pair } from "../../../graph/vocabulary.ts";
import type { Emitter } from "./emitter.ts";

/**
 * ResizeGradient. Linear interpolation by 2 at half-pixel positions, what decoders do, is a depthwise convolution of the
 * gradient, its edge repeated once: gx_i = (g_2i-1 + 3 g_2i + 3 g_2i+1 + g_2i+2) / 4 along each axis; the repeated edge is the
 * share that samples beyond the border have. Anything else is a product with the small matrix that the map is.
 */
export function lowerResizeGradient(
  emitter: Emitter,
  gradient: string,
  shape: readonly number[],
  attributes: AttributesOf<"ResizeGradient">,
  name: string | undefined,
): string {
  const { mode, scales, coordinates, extent } = attributes;
  const isDoubling =
    scales.every((scale) => scale === 1 || scale === 2) && coordinates === "half_pixel" && mode === "linear";
  return isDoubling && scales.includes(2)
    ? asConvolution(emitter, gradient, shape, scales, name)
    : asProducts(emitter, gradient, attributes, extent, name);
}

const taps: Readonly<Record<number, readonly number[]>> = { 1: [1], 2: [0.25, 0.75, 0.75, 0.25] };

function asConvolution(
  emitter: Emitter,
  gradient: string,
  [, channels = 1]: readonly number[],
  scales: Pair,
  name: string | undefined,
): string {
  const [rows = [1], columns = [1]] = [taps[scales[0]], taps[scales[1]]];
  const pads = [0, 0, scales[0] - 1, scales[1] - 1];
  const padded = emitter.emit("Pad", [gradient, emitter.integers([...pads, ...pads])], { mode: "edge" });
  const kernel = rows.flatMap((row) => columns.map((column) => row * column));
  const values = Array.from({ length: channels }, () => kernel).flat();
  const weight = emitter.tensor(tensorOf("float32", [channels, 1, rows.length, columns.length], values));
  return emitter.emit("Conv", [padded, weight], { group: channels, strides: scales }, name);
}

function asProducts(
  emitter: Emitter,
  gradient: string,
  attributes: AttributesOf<"ResizeGradient">,
  extent: Pair,
  name: string | undefined,
): string {
  const matrix = (axis: 0 | 1, transposed: boolean): string => {
    const [size, scale] = [extent[axis], attributes.scales[axis]];
    const resized = resizedExtent(size, scale);
    const values = new Float32Array(size * resized);
    for (const [output, shares] of tapsOf({ extent: size, resized, scale }, attributes).entries()) {
      for (const { position, weight } of shares) {
        const at = transposed ? position * resized + output : output * size + position;
        values[at] = (values[at] ?? 0) + weight;
      }
    }
    return emitter.tensor(tensorOf("float32", transposed ? [size, resized] : [resized, size], values));
  };
  const acrossRows = emitter.emit("MatMul", [matrix(0, true), gradient]);
  return emitter.emit("MatMul", [acrossRows, matrix(1, false)], {}, name);
}

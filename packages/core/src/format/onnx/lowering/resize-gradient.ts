import { resizedExtent } from "../../../graph/extents.ts";
import { tapsOf } from "../../../graph/resampling.ts";
import { tensorOf } from "../../../graph/tensor.ts";
import type { Node } from "../../../graph/node.ts";
import type { Attributes as AttributesOf } from "../../../graph/vocabulary.ts";
import type { Emitter } from "./emitter.ts";

/**
 * ResizeGradient. Repeating each value, as nearest decoders do, has sums of blocks for a gradient. Linear interpolation by
 * 2 at half-pixel positions has gx_i = (g_2i-1 + 3 g_2i + 3 g_2i+1 + g_2i+2) / 4 along each axis, with the edge repeated
 * once: the share that samples beyond the border have. Both are depthwise convolutions. Anything else is a product with
 * the small matrix that the map is, about ten times as slow.
 */
export function lowerResizeGradient(
  emitter: Emitter,
  gradient: string,
  { shape, type }: Pick<Node, "shape" | "type">,
  attributes: AttributesOf<"ResizeGradient">,
  name: string | undefined,
): string {
  const vertical = kernelAlong(0, attributes);
  const horizontal = kernelAlong(1, attributes);
  return vertical === undefined || horizontal === undefined
    ? asProducts(emitter, gradient, { ...attributes, type }, name)
    : asConvolution(emitter, gradient, { shape, type }, [vertical, horizontal], name);
}

/** A convolution along one axis. */
interface AxisKernel {
  readonly values: readonly number[];
  readonly stride: number;
  /** How often the edge is repeated on each side. */
  readonly edge: number;
}

function kernelAlong(axis: 0 | 1, attributes: AttributesOf<"ResizeGradient">): AxisKernel | undefined {
  const [scale, extent] = [attributes.scales[axis], attributes.extent[axis]];
  if (isRepetition(extent, scale, attributes)) return { values: Array<number>(scale).fill(1), stride: scale, edge: 0 };
  const isDoubling = scale === 2 && attributes.mode === "linear" && attributes.coordinates === "half_pixel";
  return isDoubling ? { values: [0.25, 0.75, 0.75, 0.25], stride: 2, edge: 1 } : undefined;
}

/** Whether output `o` is simply input `floor(o / scale)`. */
function isRepetition(extent: number, scale: number, attributes: AttributesOf<"ResizeGradient">): boolean {
  if (!Number.isInteger(scale)) return false;
  const taps = tapsOf({ extent, resized: resizedExtent(extent, scale), scale }, attributes);
  return taps.every((shares, output) => shares.length === 1 && shares[0]?.position === Math.floor(output / scale));
}

function asConvolution(
  emitter: Emitter,
  gradient: string,
  { shape: [, channels = 1], type }: Pick<Node, "shape" | "type">,
  [rows, columns]: readonly [AxisKernel, AxisKernel],
  name: string | undefined,
): string {
  const pads = [0, 0, rows.edge, columns.edge];
  const padded = pads.every((amount) => amount === 0)
    ? gradient
    : emitter.emit("Pad", [gradient, emitter.integers([...pads, ...pads])], { mode: "edge" });
  const kernel = rows.values.flatMap((row) => columns.values.map((column) => row * column));
  const values = Array.from({ length: channels }, () => kernel).flat();
  const shape = [channels, 1, rows.values.length, columns.values.length];
  const weight = emitter.tensor(tensorOf(type, shape, values));
  return emitter.emit("Conv", [padded, weight], { group: channels, strides: [rows.stride, columns.stride] }, name);
}

function asProducts(
  emitter: Emitter,
  gradient: string,
  attributes: AttributesOf<"ResizeGradient"> & Pick<Node, "type">,
  name: string | undefined,
): string {
  const matrix = (axis: 0 | 1, transposed: boolean): string => {
    const [size, scale] = [attributes.extent[axis], attributes.scales[axis]];
    const resized = resizedExtent(size, scale);
    const values = new Float32Array(size * resized);
    for (const [output, shares] of tapsOf({ extent: size, resized, scale }, attributes).entries()) {
      for (const { position, weight } of shares) {
        const at = transposed ? position * resized + output : output * size + position;
        values[at] = (values[at] ?? 0) + weight;
      }
    }
    return emitter.tensor(tensorOf(attributes.type, transposed ? [size, resized] : [resized, size], values));
  };
  const acrossRows = emitter.emit("MatMul", [matrix(0, true), gradient]);
  return emitter.emit("MatMul", [acrossRows, matrix(1, false)], {}, name);
}

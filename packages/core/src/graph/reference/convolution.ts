import type { Node, NodeOf } from "../node.ts";
import { sizeOf } from "../tensor.ts";
import type { ConvolutionAttributes } from "../vocabulary.ts";
import type { ValueOf } from "./rule.ts";

/** The extents of a node of rank 4, [N, C, H, W]. */
export interface Extents {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export function extentsOf(node: Pick<Node, "shape">): Extents {
  const [batch = 1, channels = 1, height = 1, width = 1] = node.shape;
  return { batch, channels, height, width };
}

/**
 * What a convolution and its transpose share: `fine` is the side that the window slides over (a convolution's input, a
 * transposed convolution's output), `coarse` has one position a window, weight [coarse, fine/group, kh, kw].
 */
interface Linear {
  readonly fine: Extents;
  readonly coarse: Extents;
  readonly kernel: Extents;
  readonly attributes: ConvolutionAttributes;
}

/** Along a row, `count` coarse elements from `coarse` on meet every `stride`-th fine one from `fine` on, by one weight. */
interface Run {
  coarse: number;
  fine: number;
  count: number;
  readonly stride: number;
  /** Position of the weight. */
  tap: number;
}

/**
 * Visits every product of the convolution once, in runs along rows, so that the caller's inner loop is flat. The run is the same
 * object each time: there are as many as rows, channels and weights together, and collecting them took as long as the products.
 */
function forEachRun(linear: Linear, visit: (run: Readonly<Run>) => void): void {
  const { fine, coarse, kernel, attributes } = linear;
  const { strides, dilations, pads, group } = attributes;
  const coarsePerGroup = coarse.channels / group;
  const tops = Array.from({ length: kernel.height }, (_, ky) => ky * dilations[0] - pads.top);
  const lefts = Array.from({ length: kernel.width }, (_, kx) => kx * dilations[1] - pads.left);
  const rowsOf = tops.map((top) => ({ top, ...overlap(coarse.height, fine.height, top, strides[0]) }));
  const columnsOf = lefts.map((left) => ({ left, ...overlap(coarse.width, fine.width, left, strides[1]) }));
  const run: Run = { coarse: 0, fine: 0, count: 0, stride: strides[1], tap: 0 };
  for (let image = 0; image < coarse.batch; image++) {
    for (let channel = 0; channel < coarse.channels; channel++) {
      const firstFine = Math.floor(channel / coarsePerGroup) * kernel.channels;
      for (let member = 0; member < kernel.channels; member++) {
        const finePlane = (image * fine.channels + firstFine + member) * fine.height;
        const coarsePlane = (image * coarse.channels + channel) * coarse.height;
        run.tap = (channel * kernel.channels + member) * kernel.height * kernel.width;
        for (const { top, start: firstRow, end: lastRow } of rowsOf) {
          for (const { left, start, end } of columnsOf) {
            run.count = end - start;
            for (let y = firstRow; y < lastRow; y++) {
              run.coarse = (coarsePlane + y) * coarse.width + start;
              run.fine = (finePlane + y * strides[0] + top) * fine.width + start * strides[1] + left;
              visit(run);
            }
            run.tap++;
          }
        }
      }
    }
  }
}

/** The coarse positions i for which i * stride + offset is a fine position. */
function overlap(coarse: number, fine: number, offset: number, stride: number): { start: number; end: number } {
  return {
    start: Math.max(0, Math.ceil(-offset / stride)),
    end: Math.min(coarse, Math.floor((fine - 1 - offset) / stride) + 1),
  };
}

/** Zeros, or the bias of each channel. */
function biased(node: NodeOf<"Conv"> | NodeOf<"ConvTranspose">, valueOf: ValueOf): Float64Array {
  const result = new Float64Array(sizeOf(node.shape));
  const bias = node.inputs[2];
  if (bias === undefined) return result;
  const values = valueOf(bias);
  const { batch, channels, height, width } = extentsOf(node);
  const plane = height * width;
  for (let index = 0; index < batch * channels; index++) {
    result.fill(values[index % channels] ?? 0, index * plane, (index + 1) * plane);
  }
  return result;
}

export function conv(node: NodeOf<"Conv">, valueOf: ValueOf): Float64Array {
  const [x, weight] = node.inputs;
  const [data, weights, result] = [valueOf(x), valueOf(weight), biased(node, valueOf)];
  const { attributes } = node;
  const linear = { fine: extentsOf(x), coarse: extentsOf(node), kernel: extentsOf(weight), attributes };
  forEachRun(linear, ({ coarse, fine, count, stride, tap }) => {
    const factor = weights[tap] ?? 0;
    for (let i = 0; i < count; i++) {
      result[coarse + i] = (result[coarse + i] ?? 0) + factor * (data[fine + i * stride] ?? 0);
    }
  });
  return result;
}

export function convTranspose(node: NodeOf<"ConvTranspose">, valueOf: ValueOf): Float64Array {
  const [x, weight] = node.inputs;
  const [data, weights, result] = [valueOf(x), valueOf(weight), biased(node, valueOf)];
  const { attributes } = node;
  const linear = { fine: extentsOf(node), coarse: extentsOf(x), kernel: extentsOf(weight), attributes };
  forEachRun(linear, ({ coarse, fine, count, stride, tap }) => {
    const factor = weights[tap] ?? 0;
    for (let i = 0; i < count; i++) {
      result[fine + i * stride] = (result[fine + i * stride] ?? 0) + factor * (data[coarse + i] ?? 0);
    }
  });
  return result;
}

import {
  add,
  cast,
  clip,
  div,
  exp,
  input,
  log,
  matMul,
  negate,
  reshape,
  scalarLike,
  sub,
  transpose,
  constant,
} from "../graph/build.ts";
import type { Node, NodeOf } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";

/** How a network's images are made from pixels. */
export interface PixelInput {
  readonly images: number;
  /** Side of the square images, in pixels: a multiple of the network's stride. */
  readonly side: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Names of the inputs of a batch. */
export const pixelsName = "pixels";
export const colourMatrixName = "colour.matrix";
export const colourOffsetName = "colour.offset";

/** The least light that a pixel lets through, of 1, where its optical density is asked for: that of one of 255 steps. */
const leastLight = 1 / 255;

/** Images [N, 3, H, W] in 0..1 from an input of uint8 [N, H, W, 3]. */
function lightOf({ images, side }: PixelInput): Node {
  const pixels = input(pixelsName, { type: "uint8", shape: [images, side, side, 3], spatial: [1, 2] });
  const channelsFirst = transpose(cast(pixels, "float32"), [0, 3, 1, 2]);
  return div(channelsFirst, scalarLike(channelsFirst, 255));
}

/** As a network is used: normalised by mean and deviation. */
export function normalisedImages(source: PixelInput, light: Node = lightOf(source)): Node {
  const perChannel = (values: readonly number[]): NodeOf<"Constant"> => constant(float32([1, 3, 1, 1], values));
  return div(sub(light, perChannel(source.mean)), perChannel(source.std));
}

/**
 * The same with the colours of each image changed in optical density, where stains add up (Beer and Lambert): density' = matrix *
 * density + offset, by inputs [N, 3, 3] and [N, 3, 1].
 */
export function recolouredImages(source: PixelInput): Node {
  const { images, side } = source;
  const light = lightOf(source);
  const density = negate(log(clip(light, { min: leastLight })));
  const matrix = input(colourMatrixName, { type: "float32", shape: [images, 3, 3] });
  const offset = input(colourOffsetName, { type: "float32", shape: [images, 3, 1] });
  const changed = add(matMul(matrix, reshape(density, [images, 3, side * side])), offset);
  const lit = exp(negate(clip(changed, { min: 0 })));
  return normalisedImages(source, reshape(lit, [images, 3, side, side]));
}

import { add, div, mul, reduceMean, reshape, scalarLike, sqrt, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";

/** Added to a variance, so that a channel that does not vary can be divided by its deviation; as in PyTorch. */
export const varianceFloor = 1e-5;

/** A value normalised by its own batch, and what it was normalised by, each [1, C, 1, 1]. */
export interface Normalised {
  readonly value: Node;
  readonly mean: Node;
  /** Of the batch itself, divided by the number of values. */
  readonly variance: Node;
  /** To be taken for a constant when this is differentiated; see `normalisedByBatch`. */
  readonly held: Node;
}

/**
 * Batch normalisation while training (Ioffe and Szegedy 2015, algorithm 1): y = (x - mean) / sqrt(variance + floor) * scale + shift, with
 * mean and variance of each channel over the batch and all pixels.
 *
 * The mean is there twice, once held. What the value changes with the mean is said by a vector that is 0, -(mean - held) * factor, and the
 * variance does not change with it at all: so its gradient is one of vectors, and no further pass over the value is made for it.
 * @param x [N, C, H, W]; `scale` and `shift` are [C].
 */
export function normalisedByBatch(
  x: Node,
  { scale, shift }: { readonly scale: Node; readonly shift: Node },
): Normalised {
  const axes = [0, 2, 3];
  const [, channels = 0] = x.shape;
  const perChannel = (vector: Node): Node => reshape(vector, [1, channels, 1, 1]);
  const mean = reduceMean(x, axes);
  const held = reduceMean(x, axes);
  const centred = sub(x, held);
  const variance = reduceMean(mul(centred, centred), axes);
  const factor = div(perChannel(scale), sqrt(add(variance, scalarLike(variance, varianceFloor))));
  const moved = add(perChannel(shift), mul(sub(held, mean), factor));
  return { value: add(mul(centred, factor), moved), mean, variance, held };
}

/** What a normalisation knows of its layer after training, each [C]. */
export interface FrozenStatistics {
  readonly scale: Tensor;
  readonly shift: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/**
 * The filter and bias of the convolution that equals a convolution without a bias, normalised by frozen statistics:
 * weight * s and shift - mean * s, with s = scale / sqrt(variance + floor).
 * @param weight [O, I, kh, kw].
 */
export function foldedNormalisation(
  weight: Tensor,
  { scale, shift, mean, variance }: FrozenStatistics,
): { readonly weight: Tensor; readonly bias: Tensor } {
  const [outputs = 0] = weight.shape;
  const taps = weight.data.length / outputs;
  const factors = Float64Array.from(
    { length: outputs },
    (_, channel) => at(scale, channel) / Math.sqrt(at(variance, channel) + varianceFloor),
  );
  return {
    weight: float32(
      weight.shape,
      Float32Array.from({ length: weight.data.length }, (_, index) => {
        return at(weight, index) * (factors[Math.floor(index / taps)] ?? 0);
      }),
    ),
    bias: float32(
      [outputs],
      Float32Array.from(factors, (factor, channel) => at(shift, channel) - at(mean, channel) * factor),
    ),
  };
}

function at(tensor: Tensor, index: number): number {
  return Number(tensor.data[index]);
}

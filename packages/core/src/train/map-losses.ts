import {
  averagePool,
  conv,
  mul,
  reduceLogSumExp,
  reduceMean,
  reduceSum,
  reshape,
  softmax,
  sub,
  transpose,
} from "../graph/build.ts";
import type { Node } from "../graph/node.ts";

/** The linear layer's scores at each place: from [N, C, h, w], weight [C, classes] and bias [classes] to [N, classes, h, w]. */
export function classMap(features: Node, { weight, bias }: { readonly weight: Node; readonly bias: Node }): Node {
  const [channels = 0, classes = 0] = weight.shape;
  const filters = reshape(transpose(weight, [1, 0]), [classes, channels, 1, 1]);
  return conv(features, filters, bias);
}

/**
 * How much two maps of class scores disagree: the mean over images, cells and classes of the squared difference of their
 * probabilities, the finer map being averaged over the cells of the coarser. [1, 1, 1, 1].
 *
 * The coarser one is `held`: what is asked is that the decoder says at each place what the encoder says there, not the reverse
 * (self-supervision between two maps of one network; Wang et al. 2020, equation 4, has the same between two views).
 * @param maps Class scores [N, classes, h, w] and [N, classes, h / s, w / s].
 */
export function mapDisagreement({ fine, coarse }: { readonly fine: Node; readonly coarse: Node }): {
  readonly loss: Node;
  /** To be taken for a constant when the loss is differentiated. */
  readonly held: Node;
} {
  const stride = (fine.shape[2] ?? 0) / (coarse.shape[2] ?? 1);
  const averaged = averagePool(fine, { kernel: [stride, stride], strides: [stride, stride] });
  const held = softmax(coarse, 1);
  const difference = sub(softmax(averaged, 1), held);
  return { loss: reduceMean(mul(difference, difference), [0, 1, 2, 3]), held };
}

/**
 * How undecided a map is: the mean over images and pixels of the entropy of the classes' probabilities, in nats. [1, 1, 1, 1].
 *
 * Low where each pixel speaks for one class (Belharbi et al. 2022, section 3, ask it of their maps).
 * @param scores [N, classes, h, w].
 */
export function mapEntropy(scores: Node): Node {
  const expected = reduceSum(mul(softmax(scores, 1), scores), [1]);
  return reduceMean(sub(reduceLogSumExp(scores, [1]), expected), [0, 1, 2, 3]);
}

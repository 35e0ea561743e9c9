import {
  add,
  averagePool,
  constant,
  conv,
  div,
  matMul,
  mul,
  reduceLogSumExp,
  reduceMean,
  reduceSum,
  reshape,
  scalarLike,
  slice,
  softmax,
  sub,
  transpose,
} from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";

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

/**
 * How much maps depend on which way round an image lies: the mean squared difference between the map of an image and that of the same
 * image after a quarter turn, turned back, over the variance of the latter and 1. [1, 1, 1, 1]; 0 for the same maps, about 2 for unrelated ones
 * whose scores differ by much more than that.
 *
 * A label does not say where the evidence is, so a network may put it some pixels aside of where it is, always to the same side, at no
 * cost: it has done so where a map that looks right scored 0.37. After a quarter turn it lies elsewhere, and a streak lies across. (Equivariance of maps as
 * regularisation: Wang et al. 2020, section 3.2.)
 * @param maps Class scores [N, classes, h, w], the last `turned` of them of the first images after a quarter turn to the left.
 */
export function turnDisagreement(maps: Node, turned: number): Node {
  const [images = 0, classes = 0, height = 0, width = 0] = maps.shape;
  const some = (first: number): Node =>
    reshape(slice(maps, { starts: [first, 0, 0, 0], sizes: [turned, classes, height, width] }), [
      turned * classes,
      height,
      width,
    ]);
  const axes = [0, 1, 2];
  const back = matMul(transpose(some(images - turned), [0, 2, 1]), exchange(width));
  const difference = sub(some(0), back);
  const centred = sub(back, reduceMean(back, axes));
  const variance = reduceMean(mul(centred, centred), axes);
  const relative = div(
    reduceMean(mul(difference, difference), axes),
    add(variance, scalarLike(variance, leastVariance)),
  );
  return reshape(relative, [1, 1, 1, 1]);
}

/**
 * Added to the variance of maps. A map that shows nothing yet varies little, and the gradient of its relative difference goes as one
 * over its deviation: with 1e-6 in this place it drowned that of the classes, and networks learnt nothing in ten epochs; with 0.1, one
 * whose maps grow slowest (a mean pool, no loss on the encoder) still did.
 */
const leastVariance = 1;

/** The matrix [1, n, n] that turns the order of n values round. */
function exchange(n: number): Node {
  const values = Float32Array.from({ length: n * n }, (_, at) => (Math.floor(at / n) + (at % n) === n - 1 ? 1 : 0));
  return constant(float32([1, n, n], values));
}

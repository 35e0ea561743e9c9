import { div, mul, negate, reduceLogSumExp, reduceSum, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";

/**
 * Cross-entropy of logits [N, classes] with weighted targets of the same shape, from log softmax = x - log sum exp x, which large
 * logits do not overflow: -(sum of target * log softmax) / (sum of targets), [1, 1].
 *
 * A target is the weight of the image's class at that class and 0 elsewhere: weights by class are then those of PyTorch's
 * CrossEntropyLoss, and an image of zeros alone counts for nothing.
 */
export function crossEntropy(logits: Node, targets: Node): Node {
  const logProbabilities = sub(logits, reduceLogSumExp(logits, [1]));
  const axes = [0, 1];
  return negate(div(reduceSum(mul(targets, logProbabilities), axes), reduceSum(targets, axes)));
}

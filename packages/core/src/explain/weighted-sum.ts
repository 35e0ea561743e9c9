import { conv, mul, reduceSum } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";

/**
 * sum over channels of weights_k A_k, [1, 1, h, w]; `weights` broadcast to `activation` [1, C, h, w]. Weights that are
 * the same at every pixel make it a 1x1 convolution, which engines run fastest. Of a single pixel they may be the
 * image's own values, which no convolution takes as weights.
 */
export function weightedSum(weights: Node, activation: Node): Node {
  const isUniform = hasOnePixel(weights) && !hasOnePixel(activation);
  return isUniform ? conv(activation, weights) : reduceSum(mul(weights, activation), [1]);
}

function hasOnePixel({ shape: [, , rows, columns] }: Node): boolean {
  return rows === 1 && columns === 1;
}

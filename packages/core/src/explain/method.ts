import type { Node } from "../graph/node.ts";

/** What a method sees of an inner layer. Values are of the whole image; where they are computed is not its business. */
export interface LayerContext {
  /** A: the layer's values, [1, C, h, w]. */
  readonly activation: Node;
  /**
   * G = dy/dA, broadcastable to A: [1, C, 1, 1] where it is the same at every pixel, as below a mean. Asking for it at
   * an inner layer costs a backward pass.
   */
  gradient(): Node;
  /** The mean of G over the image's cells, [1, C, 1, 1]. A closed form where there is one, else one more sweep. */
  meanGradient(): Node;
  /**
   * The weights of the linear layer that follows the pool, [1, C, 1, 1].
   * @throws {SlidelightError} `method-unsuitable` when the layer is not the pooled one or the head is not linear.
   */
  classWeights(): Node;
}

/** What a method sees of the network's input. */
export interface InputContext {
  /** The normalised input, [1, 3, height, width]. */
  readonly input: Node;
  /** dy/dinput, [1, 3, height, width]: a backward pass through the whole body. */
  gradient(): Node;
}

/** One explanation method: a function from values of the whole image to a map, [1, 1, h, w]. */
export type Method = {
  readonly title: string;
  /** Source and formula, for help texts and manifests. */
  readonly summary: string;
} & (
  | { readonly explains: "layer"; readonly map: (context: LayerContext) => Node }
  | { readonly explains: "input"; readonly map: (context: InputContext) => Node }
);

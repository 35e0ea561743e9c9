import { composeConvolutions } from "./compose-convolutions.ts";
import type { Composition } from "./composition/composition.ts";
import { foldConstants } from "./fold-constants.ts";
import { foldScales } from "./fold-scales.ts";
import type { Graph } from "./graph.ts";
import { recompute } from "./recompute.ts";
import { shareCommon } from "./share-common.ts";
import { simplify } from "./simplify.ts";

export interface OptimiseOptions {
  /**
   * Whether the normalisation of the input may become part of the first weights. Default: true. Leave it off where
   * values are narrower than float32, which hold normalised values better than raw ones.
   */
  readonly foldScales?: boolean;
  /** How a convolution and what is up- or downsampled beside it become one. Default: not at all, as not every engine is faster then. */
  readonly composition?: Composition | undefined;
  /** Values are computed again rather than kept where more than this would be alive at once. Default: all are kept. */
  readonly memoryBytes?: number;
}

/**
 * The passes on a graph that is about to be compiled, in the order in which they help each other. The result gives the
 * same values to rounding: Constants that are put together are rounded to their type once more.
 *
 * Passes elsewhere: normalisation layers are folded when a model is read (`model/fold-batch-norm.ts`); needed regions,
 * and the separation of channels before them, are `prepareRestriction`'s.
 */
export function optimise(graph: Graph, options: OptimiseOptions = {}): Graph {
  const { foldScales: foldsScales = true, composition, memoryBytes } = options;
  const simple = simplify(foldConstants(graph));
  const shared = shareCommon(foldsScales ? foldScales(simple) : simple);
  // What is composed can be simplified and shared in its turn.
  const composed = composition === undefined ? shared : shareCommon(simplify(composeConvolutions(shared, composition)));
  return memoryBytes === undefined ? composed : recompute(composed, { memoryBytes });
}

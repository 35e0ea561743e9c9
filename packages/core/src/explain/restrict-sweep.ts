import { foldConstants } from "../graph/fold-constants.ts";
import { graphOf } from "../graph/graph.ts";
import { remembered } from "../graph/remembered.ts";
import { prepareRestriction } from "../graph/restrict.ts";
import type { Restriction } from "../graph/restrict.ts";
import type { Sweep } from "./explanation.ts";
import { sweepOutputs } from "./tile-program.ts";

/**
 * What a sweep computes, ready to be cut into tiles: made once, whoever asks, since where each value lies in the image, and the flipped kernels of a
 * gradient, are the same for all tiles.
 * @throws {SlidelightError} `model-not-local`.
 */
export const restrictionOf: (sweep: Sweep) => Restriction = remembered((sweep) =>
  prepareRestriction(foldConstants(graphOf(sweepOutputs(sweep))).outputs),
);

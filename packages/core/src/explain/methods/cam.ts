import type { Method } from "../method.ts";
import { weightedSum } from "../weighted-sum.ts";

/** Zhou et al., CVPR 2016, equation 2: sum_k w_k A_k, signed. */
export const cam: Method = {
  title: "CAM",
  summary: "Zhou et al. 2016, eq. 2: sum of the pooled layer's channels by the class's weights, signed",
  explains: "layer",
  map: ({ activation, classWeights }) => weightedSum(classWeights(), activation),
};

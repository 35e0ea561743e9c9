import type { Method } from "../method.ts";
import { weightedSum } from "../weighted-sum.ts";

/**
 * Draelos and Carin 2020 (arXiv 2011.08891), equation 6: sum_k G_k A_k, signed. On a mean-pooled layer with a linear
 * head its pixels sum to the logit less the bias.
 */
export const hiresCam: Method = {
  title: "HiResCAM",
  summary:
    "Draelos and Carin 2020, eq. 6: channels times their gradients, signed; pixels sum to the logit less its bias",
  explains: "layer",
  map: ({ activation, gradient }) => weightedSum(gradient(), activation),
};

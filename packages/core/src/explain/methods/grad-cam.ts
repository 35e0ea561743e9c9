import { relu } from "../../graph/build.ts";
import type { Method } from "../method.ts";
import { weightedSum } from "../weighted-sum.ts";

/** Selvaraju et al., ICCV 2017, equations 1 and 2: ReLU(sum_k mean(G_k) A_k). */
export const gradCam: Method = {
  title: "Grad-CAM",
  summary: "Selvaraju et al. 2017, eq. 1 and 2: ReLU of the channels weighted by their mean gradient",
  explains: "layer",
  map: ({ activation, meanGradient }) => relu(weightedSum(meanGradient(), activation)),
};

import { relu } from "../../graph/build.ts";
import type { Method } from "../method.ts";
import { weightedSum } from "../weighted-sum.ts";

/**
 * Jiang et al., IEEE TIP 2021, equations 5 and 6 before their outer ReLU, which changes nothing where the layer is not
 * negative: sum_k ReLU(G_k) A_k.
 */
export const layerCam: Method = {
  title: "Layer-CAM",
  summary: "Jiang et al. 2021, eq. 5 and 6: channels times the positive part of their gradients",
  explains: "layer",
  map: ({ activation, gradient }) => weightedSum(relu(gradient()), activation),
};

import { abs, reduceMax } from "../../graph/build.ts";
import type { Method } from "../method.ts";

/** Simonyan et al. 2013 (arXiv 1312.6034), section 3.1: max over the input's channels of |dy/dx|. */
export const saliency: Method = {
  title: "Saliency",
  summary: "Simonyan et al. 2013: largest absolute gradient of the input's channels",
  explains: "input",
  map: ({ gradient }) => reduceMax(abs(gradient()), [1]),
};

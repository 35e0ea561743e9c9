import { mul, reduceSum } from "../../graph/build.ts";
import type { Method } from "../method.ts";

/** Shrikumar et al. 2016 (arXiv 1605.01713): sum over the input's channels of x dy/dx, signed. */
export const inputXGradient: Method = {
  title: "Input x Gradient",
  summary: "Shrikumar et al. 2016: the normalised input times its gradient, summed over channels, signed",
  explains: "input",
  map: ({ input, gradient }) => reduceSum(mul(input, gradient()), [1]),
};

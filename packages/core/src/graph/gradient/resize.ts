import { averagePool, resize as resized, resizeGradient as resizeGradientOf } from "../build.ts";
import type { Node } from "../node.ts";
import { tapsOf } from "../resampling.ts";
import type { Pair, ResizeAttributes } from "../vocabulary.ts";
import { expandAxes, scaled } from "./broadcast.ts";
import type { GradientRequest } from "./rule.ts";

/**
 * Where each value is repeated a whole number of times, the sum of its copies (an average, which engines have, times
 * their number); else the transpose of the resampling.
 */
export function resize({ node, gradient }: GradientRequest<"Resize">): Node {
  const [x] = node.inputs;
  const { attributes } = node;
  const [, , height = 1, width = 1] = x.shape;
  const { scales } = attributes;
  if (repeatsWholly(scales[0], attributes) && repeatsWholly(scales[1], attributes)) {
    // Along an axis where the gradient is the same everywhere, so is the sum of the copies.
    const kernel: Pair = [gradient.shape[2] === 1 ? 1 : scales[0], gradient.shape[3] === 1 ? 1 : scales[1]];
    const mean = kernel[0] === 1 && kernel[1] === 1 ? gradient : averagePool(gradient, { kernel });
    return scaled(mean, scales[0] * scales[1]);
  }
  return resizeGradientOf(expandAxes(gradient, [2, 3], node.shape), [height, width], attributes);
}

/** Whether output position i shows input position floor(i / scale), whatever the extent. */
function repeatsWholly(scale: number, attributes: ResizeAttributes): boolean {
  if (attributes.mode !== "nearest" || attributes.coordinates === "align_corners" || !Number.isInteger(scale))
    return false;
  // Rounding by nearest modes is the same in each period, and three show both borders and what lies between.
  const taps = tapsOf({ extent: 3, resized: 3 * scale, scale }, attributes);
  return taps.every(([tap], output) => tap?.position === Math.floor(output / scale));
}

/**
 * The transpose of a transpose: the resampling itself. Its weights sum to 1, so along an axis where the gradient is the
 * same everywhere there is nothing to do.
 */
export function resizeGradient({ node, gradient }: GradientRequest<"ResizeGradient">): Node {
  const { mode, coordinates, rounding, scales } = node.attributes;
  const along = (axis: 2 | 3): number => {
    const held = gradient.shape[axis] === 1 && node.shape[axis] !== 1;
    return held ? 1 : scales[axis === 2 ? 0 : 1];
  };
  return resized(gradient, { mode, coordinates, rounding, scales: [along(2), along(3)] });
}

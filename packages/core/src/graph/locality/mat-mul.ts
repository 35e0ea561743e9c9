import { matMul } from "../build.ts";
import { global, present } from "./rule.ts";
import type { LocalityRule } from "./rule.ts";

/**
 * [.., m, k] by a matrix [k, n] that is the same everywhere: a linear layer over the last axis, as networks with channels
 * last have it. Any other product of image values mixes positions.
 */
export const matMulLocality: LocalityRule<"MatMul"> = (node, layoutOf) => {
  const [a, b] = node.inputs;
  const layout = layoutOf(a);
  if (layout === undefined && layoutOf(b) === undefined) return global;
  const last = a.shape.length - 1;
  const linear = layoutOf(b) === undefined && b.shape.length === 2;
  if (layout === undefined || !linear || layout[0] === last || layout[1] === last) {
    return { reason: "multiplies matrices of image positions, which mixes them" };
  }
  return {
    layout,
    along: (_, out) => ({ needs: [out, undefined], recipe: [] }),
    apply: (_, operands) => matMul(present(operands, 0), present(operands, 1)),
  };
};

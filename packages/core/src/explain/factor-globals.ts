import { mul } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import type { Global } from "./explanation.ts";

/** A value as a product of globals, each a factor of its channel, and the rest. */
export interface Factored {
  readonly factors: readonly Global[];
  readonly rest: Node;
}

/**
 * Takes globals out of a product, so that a sum over cells does not wait for them: sum(g_k x_k) = g_k sum(x_k). Below a
 * generalised mean, the mean gradient then takes the same sweep as the pool.
 * @param value [1, C, h, w]
 */
export function factorGlobals(value: Node, globals: Iterable<Global>): Factored {
  const known = new Map<Node, Global>([...globals].map((global) => [global.node, global]));
  const factors: Global[] = [];
  const strip = (node: Node): Node => {
    if (node.op !== "Mul") return node;
    const [a, b] = node.inputs;
    for (const [factor, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const global = known.get(factor);
      if (global === undefined || !sameShape(other, node)) continue;
      factors.push(global);
      return strip(other);
    }
    // Without its factors an operand must still have every cell.
    const [left, right] = [a, b].map((operand) => (sameShape(operand, node) ? strip(operand) : operand));
    if (left === undefined || right === undefined || (left === a && right === b)) return node;
    return mul(left, right);
  };
  const rest = strip(value);
  return { factors, rest };
}

function sameShape(a: Node, b: Node): boolean {
  return a.shape.length === b.shape.length && a.shape.every((extent, axis) => extent === b.shape[axis]);
}

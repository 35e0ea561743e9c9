import { sameShape } from "../extents.ts";
import type { Node } from "../node.ts";
import { broadcastPositions, gather } from "./positions.ts";
import type { ValueOf } from "./rule.ts";

interface UnaryNode {
  readonly inputs: readonly [Node];
}
interface BinaryNode extends Pick<Node, "shape"> {
  readonly inputs: readonly [Node, Node];
}

export function unary(apply: (x: number) => number): (node: UnaryNode, valueOf: ValueOf) => Float64Array {
  return (node, valueOf) => valueOf(node.inputs[0]).map((x) => apply(x));
}

export function binary(apply: (a: number, b: number) => number): (node: BinaryNode, valueOf: ValueOf) => Float64Array {
  return (node, valueOf) => {
    const [a, b] = node.inputs;
    const right = broadcast(b, node, valueOf);
    return broadcast(a, node, valueOf).map((x, index) => apply(x, right[index] ?? 0));
  };
}

function broadcast(operand: Node, node: Pick<Node, "shape">, valueOf: ValueOf): Float64Array {
  const data = valueOf(operand);
  return sameShape(operand.shape, node.shape) ? data : gather(data, broadcastPositions(operand.shape, node.shape));
}

/** Neither branch exponentiates a large positive number. */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** To the nearest integer, halves to the even one. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const share = x - below;
  if (share !== 0.5) return share < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

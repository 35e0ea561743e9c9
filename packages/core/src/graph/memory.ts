import { operandsOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { sizeOf } from "./tensor.ts";
import type { ElementType } from "./tensor.ts";

const elementBytes: { readonly [T in ElementType]: number } = {
  float32: 4,
  float64: 8,
  int64: 8,
  int32: 4,
  uint8: 1,
  uint16: 2,
  bool: 1,
};

/**
 * The most bytes of values that are alive at once when nodes run in topological order and a value is freed after its
 * last use. Constants are not counted. An engine needs more: its own layouts and work space.
 */
export function peakActivationBytes(graph: Graph): number {
  const order = topologicalOrder(Object.values(graph.outputs));
  const uses = new Map<Node, number>();
  for (const node of order) for (const operand of operandsOf(node)) uses.set(operand, (uses.get(operand) ?? 0) + 1);
  for (const output of Object.values(graph.outputs)) uses.set(output, (uses.get(output) ?? 0) + 1);
  const bytesOf = (node: Node): number => (node.op === "Constant" ? 0 : sizeOf(node.shape) * elementBytes[node.type]);
  let alive = 0;
  let peak = 0;
  for (const node of order) {
    alive += bytesOf(node);
    peak = Math.max(peak, alive);
    for (const operand of operandsOf(node)) {
      const left = (uses.get(operand) ?? 0) - 1;
      uses.set(operand, left);
      if (left === 0) alive -= bytesOf(operand);
    }
  }
  return peak;
}

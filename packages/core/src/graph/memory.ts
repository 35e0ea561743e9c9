import { operandsOf, readCounts, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { elementBytes, sizeOf } from "./tensor.ts";

/** Bytes of a value; a Constant, which a program holds anyway, counts nothing, nor does one with pads, which is added where it lies. */
export function activationBytes(node: Node): number {
  const isConstant = node.op === "Constant" || (node.op === "Pad" && node.inputs[0].op === "Constant");
  return isConstant ? 0 : sizeOf(node.shape) * elementBytes[node.type];
}

export interface ActivationPeak {
  readonly bytes: number;
  /** The node during which so much is alive. */
  readonly node: Node | undefined;
}

/**
 * The most bytes of values that are alive at once when nodes run in topological order and a value is freed after its
 * last use. Constants are not counted. An engine needs more: its own layouts and work space.
 */
export function peakActivationBytes(graph: Graph): number {
  return activationPeak(graph).bytes;
}

/** The same, and where it is. */
export function activationPeak(graph: Graph): ActivationPeak {
  const order = topologicalOrder(Object.values(graph.outputs));
  const uses = readCounts(Object.values(graph.outputs));
  let alive = 0;
  let peak: ActivationPeak = { bytes: 0, node: undefined };
  for (const node of order) {
    alive += activationBytes(node);
    if (alive > peak.bytes) peak = { bytes: alive, node };
    for (const operand of operandsOf(node)) {
      const left = (uses.get(operand) ?? 0) - 1;
      uses.set(operand, left);
      if (left === 0) alive -= activationBytes(operand);
    }
  }
  return peak;
}

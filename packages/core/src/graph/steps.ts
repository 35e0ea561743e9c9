import { input } from "./build.ts";
import { topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { withOperands } from "./rewrite.ts";

/** One node by itself: its operands are Inputs of the same type and shape that stand for the values of other steps. */
export interface Step {
  readonly node: Node;
  /** Positions of the operands' steps; `undefined` for an operand that is absent. */
  readonly operands: readonly (number | undefined)[];
}

/**
 * A graph as a flat list, for another process: a graph is deep, and what copies values between processes recurses.
 * Each step comes after its operands.
 */
export interface Steps {
  readonly steps: readonly Step[];
  /** Positions of the outputs. */
  readonly outputs: Readonly<Record<string, number>>;
}

export function stepsOf(graph: Graph): Steps {
  const positions = new Map<Node, number>();
  const stands = new Map<Node, Node>();
  const standFor = (operand: Node): Node => {
    const known = stands.get(operand) ?? input("", { type: operand.type, shape: operand.shape });
    stands.set(operand, known);
    return known;
  };
  const steps = topologicalOrder(Object.values(graph.outputs)).map((node, position) => {
    positions.set(node, position);
    const inputs: readonly (Node | undefined)[] = node.inputs;
    const operands = inputs.map((operand) => (operand === undefined ? undefined : positions.get(operand)));
    return { node: withOperands(node, standFor), operands };
  });
  const outputs = Object.entries(graph.outputs).map(([name, node]) => [name, positions.get(node) ?? 0] as const);
  return { steps, outputs: Object.fromEntries(outputs) };
}

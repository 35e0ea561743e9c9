import type { Node, NodeOf } from "./node.ts";

/** A function from its inputs to its named outputs. Shapes are concrete: a graph is made for one image or tile size. */
export interface Graph {
  readonly inputs: readonly NodeOf<"Input">[];
  readonly outputs: Readonly<Record<string, Node>>;
}

/** The operands that are there (an absent bias is `undefined` in `inputs`). */
export function operandsOf(node: Node): readonly Node[] {
  const inputs: readonly (Node | undefined)[] = node.inputs;
  return inputs.filter((input) => input !== undefined);
}

/** Every node that the roots depend on, each after its operands, in a fixed order. Does not recurse: graphs are deep. */
export function topologicalOrder(roots: Iterable<Node>): readonly Node[] {
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const root of roots) {
    const stack: Node[] = [root];
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      const seen = state.get(node);
      if (seen === undefined) {
        state.set(node, "open");
        for (const operand of operandsOf(node).toReversed()) if (!state.has(operand)) stack.push(operand);
      } else {
        stack.pop();
        if (seen === "open") {
          state.set(node, "done");
          order.push(node);
        }
      }
    }
  }
  return order;
}

/** How often each value is read: by nodes that the roots depend on, and as a root. */
export function readCounts(roots: readonly Node[]): Map<Node, number> {
  const counts = new Map<Node, number>();
  for (const read of [...roots, ...topologicalOrder(roots).flatMap(operandsOf)]) {
    counts.set(read, (counts.get(read) ?? 0) + 1);
  }
  return counts;
}

/** A graph with these outputs; its inputs are the Input nodes that they depend on, in the order of first use. */
export function graphOf(outputs: Readonly<Record<string, Node>>): Graph {
  const inputs = topologicalOrder(Object.values(outputs)).filter((node) => node.op === "Input");
  return { inputs, outputs };
}

import { graphOf } from "./graph.ts";
import type { Graph } from "./graph.ts";

/**
 * The graph with these outputs alone: what only the others depend on is gone, inputs too.
 * @throws {RangeError} naming an output that the graph does not have.
 */
export function keepOutputs(graph: Graph, names: readonly string[]): Graph {
  return graphOf(
    Object.fromEntries(
      names.map((name) => {
        const node = graph.outputs[name];
        if (node === undefined) {
          const known = Object.keys(graph.outputs).join(", ");
          throw new RangeError(`Keeping the output "${name}": expected one of ${known}.`);
        }
        return [name, node];
      }),
    ),
  );
}

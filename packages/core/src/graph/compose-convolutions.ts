import { composedDownsampling } from "./composition/downsampled.ts";
import { composedUpsampling } from "./composition/upsampled.ts";
import type { Composition } from "./composition/composition.ts";
import { graphOf, readCounts } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { mapNodes, rewrite } from "./rewrite.ts";

/**
 * The same values where two linear steps, of which the first is read by the second alone, are one convolution, if that takes fewer
 * operations: (x * f) * g = x * (f * g). A U-Net's decoder convolves what was upsampled; its gradient downsamples what was convolved.
 * Kernels that are put together are rounded once.
 */
export function composeConvolutions(graph: Graph, composition: Composition = { channelMultiple: 1 }): Graph {
  const roots = Object.values(graph.outputs);
  const reads = readCounts(roots);
  const own = new Set<Node>();
  const compose = (node: Node, original: Node): Node => {
    const composed = composedFrom(node, own, composition) ?? node;
    if (reads.get(original) === 1) own.add(composed);
    return composed;
  };
  return graphOf(mapNodes(graph.outputs, rewrite(roots, compose)));
}

function composedFrom(node: Node, own: ReadonlySet<Node>, composition: Composition): Node | undefined {
  if (node.op === "AveragePool") return composedDownsampling(node, own);
  return node.op === "Conv"
    ? (composedDownsampling(node, own) ?? composedUpsampling(node, own, composition))
    : undefined;
}

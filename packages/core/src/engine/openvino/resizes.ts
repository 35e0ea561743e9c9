import type { Graph } from "../../graph/graph.ts";
import { topologicalOrder } from "../../graph/graph.ts";
import type { NodeOf } from "../../graph/node.ts";
import type { OperatorName } from "../../graph/vocabulary.ts";
import { hasPrimeWindows } from "./rewrite.ts";

/**
 * Whether OpenVINO 2026.4 computes a graph on a CPU as right and as fast where it does not know how long the image axes are: a U-Net's forward pass, but not its
 * gradient, which takes a quarter longer then.
 */
export function resizes(graph: Graph): boolean {
  return !topologicalOrder(Object.values(graph.outputs)).some(needsItsSize);
}

/** What is compared becomes one kernel with what is around it only where sizes are known. */
const always = (): boolean => true;

const needs: { readonly [O in OperatorName]?: (node: NodeOf<O>) => boolean } = {
  Equal: always,
  Greater: always,
  GreaterOrEqual: always,
  MaxPoolGradient: always,
  // Scales that float32 can't hold miss an extent, unless that is told.
  Resize: ({ attributes: { scales } }) => scales.some((scale) => Math.fround(scale) !== scale),
  // A Pad before it is taken for its own, which cuts off its result.
  ConvTranspose: (node) =>
    hasPrimeWindows(node) || (node.inputs[0].op === "Pad" && node.inputs[0].attributes.value === 0),
};

function needsItsSize<O extends OperatorName>(node: NodeOf<O>): boolean {
  const rule: (typeof needs)[O] = needs[node.op];
  return rule?.(node) === true;
}

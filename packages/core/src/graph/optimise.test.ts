import { describe, expect, it } from "vitest";
import { composeConvolutions } from "./compose-convolutions.ts";
import { flops } from "./flops.ts";
import { foldConstants } from "./fold-constants.ts";
import { foldScales } from "./fold-scales.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { peakActivationBytes } from "./memory.ts";
import { optimise } from "./optimise.ts";
import { largestDifference, randomGraph, smallUNet, withGradient } from "./random-graph-conformance.ts";
import { recompute } from "./recompute.ts";
import { separateChannels } from "./separate-channels.ts";
import { shareCommon } from "./share-common.ts";
import { simplify } from "./simplify.ts";

/** Constants that are put together are rounded to float32 (6e-8 each); gradients multiply some ten of them. */
const rounded = 1e-5;

interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
  readonly tolerance: number;
}

const passes: readonly Pass[] = [
  { name: "folding constants", run: foldConstants, tolerance: rounded },
  { name: "simplifying", run: simplify, tolerance: rounded },
  { name: "folding scales", run: foldScales, tolerance: rounded },
  { name: "composing convolutions", run: composeConvolutions, tolerance: rounded },
  { name: "sharing common values", run: shareCommon, tolerance: 0 },
  // Sums over channels in the same order: the very same values.
  { name: "separating channels", run: (graph) => graphOf(separateChannels(graph.outputs)), tolerance: 0 },
  { name: "computing values again", run: (graph) => recompute(graph, { memoryBytes: 1 }), tolerance: 0 },
  { name: "all passes", run: (graph) => optimise(graph, { composition: { channelMultiple: 1 } }), tolerance: rounded },
  {
    name: "all passes within a budget",
    run: (graph) => optimise(graph, { memoryBytes: peakActivationBytes(graph) / 2 }),
    tolerance: rounded,
  },
];

const seeds = Array.from({ length: 25 }, (_, index) => index + 1);

function sizeOf(graph: Graph): number {
  return topologicalOrder(Object.values(graph.outputs)).length;
}

describe.each(passes)("$name", ({ run, tolerance }) => {
  it.each(seeds)("keeps the values of a random graph and its gradient (seed %i)", (seed) => {
    const graph = graphOf(withGradient(randomGraph(seed)));
    expect(largestDifference(graph, run(graph))).toBeLessThanOrEqual(tolerance);
  });

  it("keeps the values of a U-Net and its gradient, its outputs' names and its inputs", () => {
    const graph = graphOf(withGradient(smallUNet(16)));
    const result = run(graph);
    expect(largestDifference(graph, result)).toBeLessThanOrEqual(tolerance);
    expect(Object.keys(result.outputs)).toEqual(Object.keys(graph.outputs));
    expect(result.inputs.map(({ name }) => name)).toEqual(graph.inputs.map(({ name }) => name));
  });
});

describe("all passes", () => {
  it("leave a U-Net's gradient with less of everything", () => {
    const graph = foldConstants(graphOf(withGradient(smallUNet(16))));
    expect(sizeOf(optimise(graph))).toBeLessThan(sizeOf(graph));
    const result = optimise(graph, { composition: { channelMultiple: 1 } });
    expect(flops(result)).toBeLessThan(flops(graph));
    expect(peakActivationBytes(result)).toBeLessThanOrEqual(peakActivationBytes(graph));
  });

  it("find nothing more the second time", () => {
    const once = optimise(graphOf(withGradient(smallUNet(16))), { composition: { channelMultiple: 1 } });
    const twice = optimise(once, { composition: { channelMultiple: 1 } });
    expect(sizeOf(twice)).toBe(sizeOf(once));
    expect(flops(twice)).toBe(flops(once));
  });
});

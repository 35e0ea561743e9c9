import { describe, expect, it } from "vitest";
import { add, conv, mul, relu } from "./build.ts";
import { foldScales } from "./fold-scales.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { optimise } from "./optimise.ts";
import { allSides, imageInput, largestDifference, randomWeights } from "./random-graph-conformance.ts";
import type { Pads } from "./vocabulary.ts";

const weights = randomWeights(2);
const image = imageInput(8, 9, 3);
const scaled = mul(weights(1, 3, 1, 1), image);
const normalised = add(scaled, weights(1, 3, 1, 1));
const convolved = (pads: Pads, x = normalised) => conv(x, weights(4, 3, 3, 3), weights(4), { pads });

function operators(graph: Graph): readonly string[] {
  return topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op);
}

/** A weight is rounded to float32 once more: 6e-8 of each of 27 products. */
const rounded = 1e-6;

describe("folding scales", () => {
  it("makes a normalisation part of the convolution that it leads into", () => {
    const graph = graphOf({ y: convolved(allSides(0)) });
    const folded = foldScales(graph);
    expect(operators(folded)).toEqual(["Input", "Constant", "Constant", "Conv"]);
    expect(largestDifference(graph, folded)).toBeLessThanOrEqual(rounded);
  });

  it("gives a convolution without a bias one", () => {
    const graph = graphOf({ y: conv(normalised, weights(4, 3, 3, 3)) });
    expect(operators(foldScales(graph))).not.toContain("Add");
    expect(largestDifference(graph, foldScales(graph))).toBeLessThanOrEqual(rounded);
  });

  it("leaves a term before a convolution with pads, where zeros stand for it at the border", () => {
    const graph = graphOf({ y: convolved(allSides(1)) });
    expect(operators(foldScales(graph))).toContain("Add");
    expect(largestDifference(graph, foldScales(graph))).toBeLessThanOrEqual(rounded);
  });

  it("takes a factor into a convolution with pads", () => {
    const graph = graphOf({ y: convolved(allSides(1), scaled) });
    expect(operators(foldScales(graph))).not.toContain("Mul");
    expect(largestDifference(graph, foldScales(graph))).toBeLessThanOrEqual(rounded);
  });

  it.each([
    ["an output", () => graphOf({ x: normalised, y: convolved(allSides(0)) })],
    ["used elsewhere", () => graphOf({ x: relu(normalised), y: convolved(allSides(0)) })],
    ["used by a convolution with pads too", () => graphOf({ x: convolved(allSides(2)), y: convolved(allSides(0)) })],
  ])("leaves a normalised value that is %s", (_, build) => {
    const graph = build();
    expect(operators(foldScales(graph))).toContain("Add");
    expect(largestDifference(graph, foldScales(graph))).toBeLessThanOrEqual(rounded);
  });

  it("can be left out of the passes", () => {
    const graph = graphOf({ y: convolved(allSides(0)) });
    expect(operators(optimise(graph, { foldScales: false }))).toContain("Mul");
    expect(operators(optimise(graph))).not.toContain("Mul");
  });
});

import { describe, expect, it } from "vitest";
import { add, clip, constant, conv, input, mul, pad, relu, scalarConstant } from "./build.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { imageInput, largestDifference, randomWeights } from "./random-graph-conformance.ts";
import { shareCommon } from "./share-common.ts";
import { float32, tensorOf } from "./tensor.ts";

function operators(graph: Graph): readonly string[] {
  return topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op);
}

/** A network made anew each time: no node is the same object as another's. */
function network(): Node {
  return relu(conv(imageInput(6, 6), randomWeights(3)(2, 2, 3, 3), randomWeights(4)(2)));
}

describe("sharing common values", () => {
  it("computes a network once that two graphs have", () => {
    const graph = graphOf({ a: mul(network(), scalarConstant(2)), b: add(network(), scalarConstant(2)) });
    const shared = shareCommon(graph);
    expect(operators(shared).filter((op) => op === "Conv")).toHaveLength(1);
    expect(shared.inputs).toHaveLength(1);
    expect(operators(shared).filter((op) => op === "Constant")).toHaveLength(3);
    expect(largestDifference(graph, shared)).toBe(0);
  });

  it("gives outputs that are equal one node, under both names", () => {
    const { outputs } = shareCommon(graphOf({ a: network(), b: network() }));
    expect(outputs["a"]).toBe(outputs["b"]);
  });

  const x = imageInput(6, 6);
  it.each([
    ["inputs of other names", () => [x, input("other", { ...x.attributes })]],
    ["limits of which one is infinite", () => [clip(x, { min: 0 }), clip(x, { max: 0 })]],
    ["infinite limits of other signs", () => [pad(x, padding(Infinity)), pad(x, padding(-Infinity))]],
    ["operands in another order", () => [add(x, relu(x)), add(relu(x), x)]],
    ["elements of which one differs", () => [vector([1, 2, 3]), vector([1, 2, 4])]],
    ["elements in another order", () => [vector([1, 2, 3]), vector([3, 2, 1])]],
    ["zeros of other signs", () => [vector([0]), vector([-0])]],
    ["shapes of equal elements", () => [vector([1, 2]), constant(float32([2, 1], [1, 2]))]],
    ["types of equal elements", () => [vector([1, 2]), constant(tensorOf("float64", [2], [1, 2]))]],
  ] as readonly (readonly [string, () => readonly [Node, Node]])[])("keeps apart %s", (_, build) => {
    const [a, b] = build();
    const { outputs } = shareCommon(graphOf({ a, b }));
    expect(outputs["a"]).not.toBe(outputs["b"]);
  });
});

function vector(values: readonly number[]): Node {
  return constant(float32([values.length], values));
}

function padding(value: number): { readonly after: readonly number[]; readonly value: number } {
  return { after: [0, 0, 1, 0], value };
}

import { describe, expect, it } from "vitest";
import {
  abs,
  add,
  concat,
  constant,
  div,
  expand,
  mul,
  reduceSum,
  relu,
  reshape,
  scalarConstant,
  sigmoid,
  slice,
  sub,
  transpose,
} from "./build.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node } from "./node.ts";
import { imageInput, largestDifference, randomWeights } from "./random-graph-conformance.ts";
import { simplify } from "./simplify.ts";
import { float32 } from "./tensor.ts";

const x = imageInput(4, 5);
const channels = randomWeights(4)(1, 2, 1, 1);

function operators(graph: Graph): readonly string[] {
  return topologicalOrder(Object.values(graph.outputs))
    .map(({ op }) => op)
    .filter((op) => op !== "Input" && op !== "Constant");
}

describe("simplifying", () => {
  it.each([
    [
      "a chain of products and quotients with Constants to one product",
      () => div(mul(mul(x, scalarConstant(3)), channels), scalarConstant(7)),
      ["Mul"],
    ],
    [
      "a chain of sums and differences with Constants to one sum",
      () => sub(add(channels, add(x, scalarConstant(3))), scalarConstant(2)),
      ["Add"],
    ],
    ["sums with nothing and products with one", () => mul(add(x, scalarConstant(0)), scalarConstant(1)), []],
    [
      "a product that broadcasts to more to itself",
      () => mul(imageInput(1, 1), constant(float32([1, 1, 2, 2], [1, 1, 1, 1]))),
      ["Mul"],
    ],
    ["Relu of what is never negative", () => relu(slice(sigmoid(x), part(0, 1))), ["Sigmoid", "Slice"]],
    ["Abs of Relu", () => abs(relu(x)), ["Relu"]],
    ["layouts that undo each other", () => transpose(transpose(x, [2, 3, 1, 0]), [3, 2, 0, 1]), []],
    ["reshapes in a row", () => reshape(reshape(x, [4, 10]), [2, 20]), ["Reshape"]],
    ["slices in a row", () => slice(slice(x, backwards()), part(1, 1)), ["Slice"]],
    ["a slice of one of several joined values", () => slice(concat([x, relu(x)], 1), part(0, 2)), []],
    [
      "a slice of two of three joined values",
      () => slice(concat([abs(x), x, relu(x)], 1), part(1, 3)),
      ["Abs", "Slice", "Concat"],
    ],
    [
      "a sum of whole rows, of some of which are needed, to all sums",
      () => reduceSum(slice(x, rows(1, 3)), [3]),
      ["ReduceSum", "Slice"],
    ],
    ["a value that is repeated only to be multiplied", () => mul(expand(channels, x.shape), x), ["Mul"]],
    ["a value that is repeated only to be subtracted", () => sub(x, expand(channels, x.shape)), ["Add"]],
  ] as readonly (readonly [string, () => Node, readonly string[]])[])("reduces %s", (_, build, expected) => {
    const graph = graphOf({ y: build() });
    const simple = simplify(graph);
    expect(operators(simple).toSorted()).toEqual(expected.toSorted());
    // Constants put together are rounded to float32 once more.
    expect(largestDifference(graph, simple)).toBeLessThanOrEqual(1e-6);
  });

  it("sums rows before it cuts them, unless that is much more", () => {
    const last = (node: Node): string | undefined => operators(simplify(graphOf({ y: node }))).at(-1);
    expect(last(reduceSum(slice(x, rows(1, 3)), [3]))).toBe("Slice");
    expect(last(reduceSum(slice(x, rows(1, 1)), [3]))).toBe("ReduceSum");
    // Rows that are not whole.
    expect(last(reduceSum(slice(x, rows(1, 3)), [2]))).toBe("ReduceSum");
  });

  it("leaves a division by zero to the engine", () => {
    expect(operators(simplify(graphOf({ y: div(x, scalarConstant(0)) })))).toEqual(["Div"]);
  });
});

function part(start: number, size: number): { readonly starts: readonly number[]; readonly sizes: readonly number[] } {
  return { starts: [0, start, 0, 0], sizes: [1, size, 4, 5] };
}

function rows(start: number, size: number): { readonly starts: readonly number[]; readonly sizes: readonly number[] } {
  return { starts: [0, 0, start, 0], sizes: [1, 2, size, 5] };
}

function backwards(): {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
} {
  return { starts: [0, 0, 3, 0], sizes: [1, 2, 4, 5], steps: [1, 1, -1, 1] };
}

import { describe, expect, test } from "vitest";
import * as build from "./build.ts";
import { foldConstants } from "./fold-constants.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { evaluate } from "./reference.ts";
import { elementsOf } from "./tensor.ts";

const x = build.input("x", { type: "float32", shape: [2, 3] });
const ofX = { x: { shape: [2, 3], data: Float64Array.of(1, -2, 3, 0.5, 0, 7) } };

function operators(graph: Graph): readonly string[] {
  return topologicalOrder(Object.values(graph.outputs)).map(({ op }) => op);
}

describe("folding constants", () => {
  test("leaves one Constant where a value follows from Constants, and the same values", () => {
    const weights = build.exp(
      build.transpose(
        build.constant({ type: "float32", shape: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) }),
        [1, 0],
      ),
    );
    const graph = graphOf({ y: build.add(build.mul(x, weights), build.negate(build.scalarConstant(3))) });
    const folded = foldConstants(graph);
    expect(operators(folded)).toEqual(["Input", "Constant", "Mul", "Constant", "Add"]);
    const [before, after] = [evaluate(graph, ofX)["y"]?.data ?? [], evaluate(folded, ofX)["y"]?.data ?? []];
    for (const [index, value] of before.entries()) {
      expect(Math.abs((after[index] ?? Number.NaN) - value)).toBeLessThanOrEqual(2 ** -23 * Math.abs(value) + 1e-6);
    }
  });

  test("rounds to the node's type and keeps its name", () => {
    const third = build.div(build.scalarConstant(1), build.scalarConstant(3), { name: "third" });
    const { y } = foldConstants(graphOf({ y: third })).outputs;
    expect(y).toMatchObject({ op: "Constant", name: "third", type: "float32" });
    expect(y?.op === "Constant" ? [...elementsOf(y.attributes.tensor)] : []).toEqual([Math.fround(1 / 3)]);
  });

  test("tells what it has computed from a tensor apart by infinities too", () => {
    const given = build.constant({ type: "float32", shape: [2], data: Float32Array.of(1, 2) });
    const { all, none } = foldConstants(
      graphOf({ all: build.clip(given, { max: Infinity }), none: build.clip(given, { max: -Infinity }) }),
    ).outputs;
    expect(all?.op === "Constant" ? [...elementsOf(all.attributes.tensor)] : []).toEqual([1, 2]);
    expect(none?.op === "Constant" ? [...elementsOf(none.attributes.tensor)] : []).toEqual([-Infinity, -Infinity]);
  });

  test("makes no Constant larger than the limit", () => {
    const large = build.expand(build.exp(build.scalarConstant(0)), [3, 3]);
    const graph = graphOf({ y: build.add(large, build.scalarConstant(1)) });
    expect(operators(foldConstants(graph, { maximumElements: 8 }))).toEqual(["Constant", "Expand", "Constant", "Add"]);
    expect(operators(foldConstants(graph, { maximumElements: 9 }))).toEqual(["Constant"]);
    expect(operators(foldConstants(graphOf({ y: build.expand(build.scalarConstant(1), [5_000_000]) })))).toEqual([
      "Constant",
      "Expand",
    ]);
  });

  test("keeps a border in an image of zeros as it is", () => {
    const row = build.constant({ type: "float32", shape: [1, 2], data: Float32Array.of(1, 2) });
    const image = build.pad(build.exp(row), { before: [0, 0], after: [2, 0] });
    expect(operators(foldConstants(graphOf({ y: image })))).toEqual(["Constant", "Pad"]);
  });

  test("keeps Coordinates, which are a matter of where the graph runs", () => {
    const graph = graphOf({ y: build.relu(build.coordinate({ axis: 0, rank: 1, size: 4 })) });
    expect(operators(foldConstants(graph))).toEqual(["Coordinate", "Relu"]);
  });

  test("leaves a graph without constants as it is", () => {
    const y = build.relu(x);
    expect(foldConstants(graphOf({ y })).outputs["y"]).toBe(y);
  });
});

import { describe, expect, test } from "vitest";
import { suited } from "../../packages/core/src/engine/onnxruntime/rewrite.ts";
import { suited as suitedToOpenVino } from "../../packages/core/src/engine/openvino/rewrite.ts";
import { topologicalOrder } from "../../packages/core/src/graph/graph.ts";
import type { Graph } from "../../packages/core/src/graph/graph.ts";
import { evaluate } from "../../packages/core/src/graph/reference.ts";
import { elementsOf } from "../../packages/core/src/graph/tensor.ts";
import { graphOfCase, operatorCases } from "./operator-cases.ts";
import type { OperatorCase } from "./operator-cases.ts";

function valueOf(graph: Graph, { inputs }: OperatorCase): Float64Array {
  const given = inputs.map((tensor, index) => [`x${index}`, { shape: tensor.shape, data: elementsOf(tensor) }]);
  return Float64Array.from(evaluate(graph, Object.fromEntries(given))["y"]?.data ?? []);
}

/** Sums of the same values in another order. */
const reordered = 1e-12;
/** A mean as a sum of shares, each of which is rounded to float32. */
const rounded = 2 ** -24;

const cases = Object.entries(operatorCases).flatMap(([operator, ofOperator]) =>
  ofOperator.map((one) => ({ operator, ...one })),
);

function operatorsOf(graph: Graph): string {
  return topologicalOrder(Object.values(graph.outputs))
    .map(({ op }) => op)
    .join();
}

const engines = [
  { engine: "ONNX Runtime on CUDA", suit: (graph: Graph) => suited(graph, "cuda"), rounding: reordered },
  { engine: "ONNX Runtime on WebGPU", suit: (graph: Graph) => suited(graph, "webgpu"), rounding: reordered },
  { engine: "OpenVINO", suit: (graph: Graph) => suitedToOpenVino(graph, "float32"), rounding: rounded },
  { engine: "OpenVINO in bfloat16", suit: (graph: Graph) => suitedToOpenVino(graph, "bfloat16"), rounding: rounded },
];

describe.each(engines)("what $engine gets", ({ suit, rounding }) => {
  test.each(cases.filter((one) => operatorsOf(suit(graphOfCase(one))) !== operatorsOf(graphOfCase(one))))(
    "instead of $operator ($of) is the same function",
    (one) => {
      const graph = graphOfCase(one);
      const got = valueOf(suit(graph), one);
      const expected = valueOf(graph, one);
      expect(got.length).toBe(expected.length);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      expect(
        got.findIndex((value, at) => !(Math.abs(value - (expected[at] ?? Number.NaN)) <= rounding * largest)),
      ).toBe(-1);
    },
  );
});

test("no convolution that CUDA gets has other pads before than behind", () => {
  const uneven = cases.flatMap((one) =>
    topologicalOrder(Object.values(suited(graphOfCase(one), "cuda").outputs)).filter((node) => {
      if (node.op !== "Conv" && node.op !== "ConvTranspose") return false;
      const { top, bottom, left, right } = node.attributes.pads;
      return top !== bottom || left !== right;
    }),
  );
  expect(cases.length).toBeGreaterThan(100);
  expect(uneven).toEqual([]);
});

import { describe, expect, it } from "vitest";
import { add, constant, conv, convTranspose, input, mul, relu } from "../graph/build.ts";
import { graphOf, topologicalOrder } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { evaluate } from "../graph/reference.ts";
import { float32, sizeOf } from "../graph/tensor.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";

const values = (...shape: number[]): Node =>
  constant(
    float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.3 + shape.length)),
    ),
  );
const x = input("x", { type: "float32", shape: [1, 2, 5, 6], spatial: [2, 3] });
const normalised = (node: Node): Node => add(mul(node, values(1, 3, 1, 1)), values(1, 3, 1, 1));

function expectFolded(node: Node, operators: readonly string[]): void {
  const before = graphOf({ y: node });
  const after = foldBatchNorm(before);
  const found = topologicalOrder(Object.values(after.outputs)).map(({ op }) => op);
  expect(found.filter((op) => op !== "Constant" && op !== "Input")).toEqual(operators);
  const data = Float64Array.from({ length: 60 }, (_, i) => Math.cos(i));
  const image = { x: { shape: [1, 2, 5, 6], data } };
  const expected = evaluate(before, image)["y"]?.data ?? new Float64Array();
  // Weights are rounded to float32 once more.
  evaluate(after, image)["y"]?.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5));
}

describe("folding a frozen normalisation", () => {
  it("keeps the function of a convolution, with and without bias", () => {
    expectFolded(relu(normalised(conv(x, values(3, 2, 3, 3), values(3)))), ["Conv", "Relu"]);
    expectFolded(normalised(conv(x, values(3, 2, 3, 3))), ["Conv"]);
  });

  it("keeps the function of a transposed convolution", () => {
    expectFolded(normalised(convTranspose(x, values(2, 3, 2, 2), values(3), { strides: [2, 2] })), ["ConvTranspose"]);
  });

  it("leaves a convolution alone that something else reads", () => {
    const shared = conv(x, values(3, 2, 1, 1));
    expectFolded(add(normalised(shared), shared), ["Conv", "Mul", "Add", "Add"]);
  });
});

import { expect, test } from "vitest";
import * as build from "./build.ts";
import { flops } from "./flops.ts";
import { graphOf } from "./graph.ts";
import type { Node } from "./node.ts";
import type { Shape } from "./tensor.ts";

function given(name: string, shape: Shape): Node {
  return build.input(name, { type: "float32", shape });
}

const image = given("image", [2, 4, 6, 5]);

test.each([
  [
    "a convolution: two for each product",
    build.conv(image, given("w", [8, 2, 3, 3]), undefined, { group: 2 }),
    2 * (2 * 8 * 4 * 3) * (2 * 9),
  ],
  [
    "a transposed convolution: two for each product",
    build.convTranspose(image, given("w", [4, 3, 2, 2]), undefined, { strides: [2, 2] }),
    2 * (2 * 4 * 6 * 5) * (3 * 4),
  ],
  ["a matrix product: two for each product", build.matMul(given("a", [7, 3]), given("b", [3, 5])), 2 * 7 * 5 * 3],
  ["any other operator: one for each element that it gives", build.maxPool(image, { kernel: [2, 2] }), 2 * 4 * 3 * 2],
  ["values that are given: none", image, 0],
])("%s", (_, node, expected) => {
  expect(flops(graphOf({ y: node }))).toBe(expected);
});

test("a node that two outputs share counts once", () => {
  const shared = build.relu(given("x", [10]));
  expect(flops(graphOf({ a: shared, b: build.exp(shared) }))).toBe(20);
});

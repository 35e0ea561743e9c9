import { expect, test } from "vitest";
import { add, conv, input, relu, scalarConstant } from "./build.ts";
import { graphOf } from "./graph.ts";
import { stepsOf } from "./steps.ts";
import type { Node } from "./node.ts";

test("each step comes after its operands, which Inputs of their type and shape stand for", () => {
  const x = input("x", { type: "float32", shape: [1, 2, 3, 3] });
  const weight = input("w", { type: "float32", shape: [4, 2, 1, 1] });
  const { steps, outputs } = stepsOf(graphOf({ y: relu(conv(x, weight)), given: x }));
  expect(steps.map(({ node, operands }) => [node.op, operands])).toEqual([
    ["Input", []],
    ["Input", []],
    ["Conv", [0, 1, undefined]],
    ["Relu", [2]],
  ]);
  expect(outputs).toEqual({ y: 3, given: 0 });
  const [, , convolution] = steps;
  expect(convolution?.node.inputs.map((operand) => operand?.op)).toEqual(["Input", "Input", undefined]);
  expect(convolution?.node.inputs.map((operand) => operand?.shape)).toEqual([x.shape, weight.shape, undefined]);
});

test("a graph of ten thousand layers is copied between processes", () => {
  let x: Node = input("x", { type: "float32", shape: [1] });
  for (let layer = 0; layer < 10_000; layer += 1) x = add(x, scalarConstant(1));
  const listed = stepsOf(graphOf({ y: x }));
  expect(structuredClone(listed)).toEqual(listed);
});

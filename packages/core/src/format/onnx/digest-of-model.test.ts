import { expect, it } from "vitest";
import { add, constant, conv, input } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import { float32 } from "../../graph/tensor.ts";
import { digestOfModel } from "./digest-of-model.ts";
import { modelProto } from "./encode.ts";

function digest({ weight = [1, 2], bias = 3, name = "x" } = {}): string {
  const x = input(name, { type: "float32", shape: [1, 2, 4, 4], spatial: [2, 3] });
  const y = conv(x, constant(float32([1, 2, 1, 1], weight)), constant(float32([1], [bias])));
  return digestOfModel(modelProto(graphOf({ y: add(y, y) })));
}

it("is the same for the same model, and another one for every other", () => {
  expect(digest()).toBe(digest());
  expect(digest()).toMatch(/^[0-9a-f]{64}$/u);
  const others = [digest({ weight: [1, 4] }), digest({ bias: 0 }), digest({ name: "z" })];
  expect(new Set([digest(), ...others]).size).toBe(4);
});

import { expect, it } from "vitest";
import { input, relu } from "./build.ts";
import { graphOf } from "./graph.ts";
import { keepOutputs } from "./keep-outputs.ts";

const scalar = { type: "float32", shape: [1] } as const;
const graph = graphOf({ a: relu(input("x", scalar)), b: relu(input("y", scalar)) });

it("keeps an output with the inputs that it depends on", () => {
  const kept = keepOutputs(graph, ["b"]);
  expect(kept.inputs.map(({ name }) => name)).toEqual(["y"]);
  expect(kept.outputs).toEqual({ b: graph.outputs["b"] });
});

it("refuses an output that is not there", () => {
  expect(() => keepOutputs(graph, ["c"])).toThrow(/"c".*a, b/);
});

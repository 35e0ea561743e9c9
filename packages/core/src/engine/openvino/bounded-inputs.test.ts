import { expect, it } from "vitest";
import { add, input } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import { boundedInputs } from "./bounded-inputs.ts";

const image = (name: string, shape: readonly number[], spatial?: readonly [number, number]) =>
  input(name, { type: "float32", shape, ...(spatial === undefined ? {} : { spatial }) });

it("tells of open axes that are long, and of nothing else", () => {
  const open = { min: 64, max: -1 };
  const bounded = (...inputs: readonly ReturnType<typeof image>[]) =>
    boundedInputs(graphOf(Object.fromEntries(inputs.map((node, index) => [`y${index}`, add(node, node)]))));
  expect(bounded(image("pixels", [64, 900, 3], [0, 1]))).toEqual([
    { name: "pixels", extents: [open, open, { min: 3, max: 3 }] },
  ]);
  expect(bounded(image("rows", [1, 1, 300, 1], [2, 3]))).toEqual([
    { name: "rows", extents: [{ min: 1, max: 1 }, { min: 1, max: 1 }, open, { min: 1, max: 1 }] },
  ]);
  expect(bounded(image("low", [63, 900, 3], [0, 1]), image("vector", [1, 500, 1, 1]))).toEqual([]);
});

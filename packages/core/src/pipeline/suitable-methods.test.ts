import { expect, it } from "vitest";
import { constant, input, matMul, reduceMean, relu, reshape } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { float32 } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { suitableMethods } from "./suitable-methods.ts";

/** A head of two layers has no class weights for the pooled channels. */
const model: Model = {
  sha256: "",
  instantiate: ({ width, height }) => {
    const image = input("image", { type: "float32", shape: [1, 3, height, width], spatial: [2, 3] });
    const pooled = reshape(reduceMean(relu(image), [2, 3]), [1, 3]);
    const hidden = relu(matMul(pooled, constant(float32([3, 2], [1, 2, 3, 4, 5, 6]))));
    return graphOf({ scores: matMul(hidden, constant(float32([2, 2], [1, -1, 0, 1]))) });
  },
};

it("tells which methods suit a model, and why the others don't", () => {
  const options = { model, classes: ["a", "b"], size: { width: 9, height: 7 } };
  const { suitable, unsuitable } = suitableMethods(["cam", "grad-cam", "saliency"], options);
  expect(suitable).toEqual(["grad-cam", "saliency"]);
  expect(unsuitable).toEqual([{ method: "cam", message: expect.stringContaining("a head that is not linear") }]);
});

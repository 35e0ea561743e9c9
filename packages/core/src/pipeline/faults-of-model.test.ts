import { describe, expect, it } from "vitest";
import { constant, input, matMul, reduceMean, relu, reshape } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { float32 } from "../graph/tensor.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Model } from "../model/model.ts";
import { faultsOfModel } from "./faults-of-model.ts";

/** A head of two layers, which CAM does not suit. Images of a single row are refused. */
const model: Model = {
  sha256: "",
  instantiate: ({ width, height }) => {
    if (height === 1) throw new SlidelightError("model-operator", "Reading the model: one row is too few.");
    const image = input("image", { type: "float32", shape: [1, 3, height, width], spatial: [2, 3] });
    const pooled = reshape(reduceMean(relu(image), [2, 3]), [1, 3]);
    const hidden = relu(matMul(pooled, constant(float32([3, 2], [1, 2, 3, 4, 5, 6]))));
    return graphOf({ scores: matMul(hidden, constant(float32([2, 2], [1, -1, 0, 1]))) });
  },
};

const found = (...asked: Parameters<typeof faultsOfModel>) =>
  faultsOfModel(...asked).map(({ method, target, error }) => `${method} ${target} ${error.code}`);

describe("faults of a model", () => {
  it("are those of each method and target", () => {
    expect(found(model, { methods: ["saliency", "cam"], targets: ["top1", "7"] })).toEqual([
      "saliency 7 target-unknown",
      "cam top1 method-unsuitable",
      "cam 7 target-unknown",
    ]);
    expect(found(model, { methods: ["hires-cam"], targets: ["top1"], layer: "nowhere" })).toEqual([
      "hires-cam top1 layer-unknown",
    ]);
  });

  it("are those of all when there is no network", () => {
    const broken: Model = {
      sha256: "",
      instantiate: () => {
        throw new SlidelightError("model-operator", "Reading the model: its kernel is unknown.");
      },
    };
    expect(found(broken, { methods: ["cam", "saliency"], targets: ["top1"] })).toEqual([
      "cam top1 model-operator",
      "saliency top1 model-operator",
    ]);
  });

  it("are not those of an image", () => {
    expect(found(model, { methods: ["grad-cam"], targets: ["top1", "0"] })).toEqual([]);
  });
});

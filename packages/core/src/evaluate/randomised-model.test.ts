import { describe, expect, it } from "vitest";
import { topologicalOrder } from "../graph/graph.ts";
import { elementsOf } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import { randomisedModel } from "./randomised-model.ts";

const settings = { ...defaultUNet, depth: 1, baseChannels: 2 };
const model: Model = {
  sha256: "abc",
  instantiate: (size) => unetGraph(settings, unetParameters(settings), size),
};

/** The weights of convolutions and products, in the order of computation. */
function weightsOf(of: Model, side = 8): readonly Float64Array[] {
  const { outputs } = of.instantiate({ width: side, height: side });
  return topologicalOrder(Object.values(outputs)).flatMap((node) => {
    const weight =
      node.op === "Conv" || node.op === "ConvTranspose" || node.op === "MatMul" ? node.inputs[1] : undefined;
    return weight?.op === "Constant" ? [elementsOf(weight.attributes.tensor)] : [];
  });
}

const size = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
const changed = (other: Model): readonly boolean[] => {
  const before = weightsOf(model);
  return weightsOf(other).map((values, index) => values.join() !== before[index]?.join());
};

describe("a randomised model", () => {
  it("has other weights of the same size, the same for the same seed and every image size", () => {
    const other = randomisedModel(model, { seed: 1, share: 1 });
    expect(new Set(changed(other))).toEqual(new Set([true]));
    for (const [index, values] of weightsOf(other).entries()) {
      const ratio = size(values) / size(weightsOf(model)[index] ?? new Float64Array());
      expect(Math.abs(Math.log(ratio))).toBeLessThan(1);
    }
    expect(weightsOf(other, 16)).toEqual(weightsOf(other));
    expect(weightsOf(randomisedModel(model, { seed: 2, share: 1 }))).not.toEqual(weightsOf(other));
    expect(other.sha256).not.toBe(model.sha256);
  });

  it("keeps the layers near the image while only a share is randomised", () => {
    const flags = changed(randomisedModel(model, { seed: 1, share: 0.5 }));
    const first = flags.indexOf(true);
    expect(first).toBe(Math.floor(flags.length / 2));
    expect(flags.slice(first).every(Boolean)).toBe(true);
    expect(changed(randomisedModel(model, { seed: 1, share: 0 })).some(Boolean)).toBe(false);
  });
});

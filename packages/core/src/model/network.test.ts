import { describe, expect, it } from "vitest";
import { constant, input, matMul, mul, reduceMean, reshape } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { evaluate } from "../graph/reference.ts";
import { float32 } from "../graph/tensor.ts";
import { describeModel } from "./describe.ts";
import type { Model } from "./model.ts";
import { bodyStride, networkFor } from "./network.ts";
import { defaultUNet, unetGraph, unetParameters } from "./unet.ts";
import type { UNetSettings } from "./unet.ts";

function unet(settings: Partial<UNetSettings>): Model {
  const all = { ...defaultUNet, baseChannels: 1, ...settings };
  const parameters = unetParameters(all);
  return { sha256: "", instantiate: (size) => unetGraph(all, parameters, size) };
}

/** Squeeze and excitation: every pixel is scaled by the mean of all. */
const attentive: Model = {
  sha256: "",
  instantiate: ({ width, height }) => {
    const x = input("image", { type: "float32", shape: [1, 3, height, width], spatial: [2, 3] });
    const scaled = mul(x, reduceMean(x, [2, 3], { name: "squeeze" }));
    const pooled = reshape(reduceMean(scaled, [2, 3]), [1, 3]);
    return graphOf({ scores: matMul(pooled, constant(float32([3, 2], [1, 2, 3, 4, 5, 6]))) });
  },
};

describe("a network on a whole image", () => {
  it("has the stride of its body", () => {
    expect(bodyStride(unet({ depth: 2 }))).toBe(4);
    expect(bodyStride(unet({ depth: 4, upsampling: "linear" }))).toBe(16);
  });

  it("is extended by repeating the last column and row, to a multiple of the stride", () => {
    const network = networkFor(
      unet({ depth: 2 }),
      { width: 6, height: 5 },
      { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] },
    );
    expect(network.input.shape).toEqual([1, 3, 8, 8]);
    expect(network.pooledLayer.cropped.shape).toEqual([1, 1, 5, 6]);
    const data = Float64Array.from({ length: 90 }, (_, i) => i);
    const value = evaluate(graphOf({ input: network.input }), { pixels: { shape: [5, 6, 3], data } })["input"]?.data;
    // The last pixel's red is 87; the corner beyond repeats it.
    expect((value?.[63] ?? 0) * 255).toBeCloseTo(87, 4);
    expect((value?.[4 * 8 + 5] ?? 0) * 255).toBeCloseTo(87, 4);
  });

  it("is normalised by mean and standard deviation", () => {
    const network = networkFor(
      unet({ depth: 1 }),
      { width: 2, height: 2 },
      { samples: "uint16", mean: [0.5, 0, 0], std: [0.25, 1, 1] },
    );
    const data = new Float64Array(12).fill(65535);
    const value = evaluate(graphOf({ input: network.input }), { pixels: { shape: [2, 2, 3], data } })["input"]?.data;
    expect([value?.[0], value?.[4]]).toEqual([expect.closeTo(2, 5), expect.closeTo(1, 5)]);
  });

  it("refuses a body that looks at the whole image, naming the node", () => {
    expect(() => bodyStride(attentive)).toThrow(/"squeeze" \(ReduceMean\): reduces over all positions/);
  });
});

describe("describing a model", () => {
  it.each([
    [{ depth: 4, upsampling: "transposed" }, 96],
    [{ depth: 4, upsampling: "linear" }, 112],
    [{ depth: 2, upsampling: "transposed" }, 24],
  ] as const)("finds the halo of the U-Net %o", (settings, halo) => {
    const { tiling } = describeModel(unet(settings));
    expect(tiling).toMatchObject({ exact: true, stride: 2 ** settings.depth, halo });
  });

  it("lists pool, classes and layers", () => {
    const described = describeModel(unet({ depth: 1, pool: { kind: "generalised-mean", power: 3 } }));
    expect(described.pools).toEqual([{ label: "generalised mean, p = 3", layer: "up0", channels: 1 }]);
    expect(described.classes).toEqual(["0", "1"]);
    const strides = Object.fromEntries(described.layers.map(({ name, stride }) => [name, stride]));
    expect(strides).toMatchObject({ down0: 1, "down1.pool": 2, down1: 2, "up0.joined": 1, up0: 1 });
    expect(described.layers.at(-1)?.name).toBe("up0");
  });

  it("says which node prevents exact tiling, and why", () => {
    expect(describeModel(attentive).tiling).toEqual({
      exact: false,
      node: "squeeze",
      operator: "ReduceMean",
      reason: "reduces over all positions of the image",
    });
  });
});

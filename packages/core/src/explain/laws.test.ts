import { describe, expect, it } from "vitest";
import type { Size } from "../geometry/rectangle.ts";
import { tileGrid } from "../geometry/tile-grid.ts";
import { sigmoid } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";
import type { Network } from "../model/network.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import type { UNetSettings } from "../model/unet.ts";
import { methodNames } from "./methods/index.ts";
import type { MethodName } from "./methods/index.ts";
import { planExplanation } from "./plan.ts";
import { explainByReference } from "./reference-explanation.ts";
import type { ReferenceExplanation } from "./reference-explanation.ts";
import type { Target } from "./target.ts";

const size = { width: 37, height: 29 };
const pixels = Uint8Array.from({ length: size.width * size.height * 3 }, (_, i) => (i * 7919 + (i % 11) * 97) % 256);

const mean = [0.5, 0.4, 0.3] as const;
/** In pixel values of 0 to 255. */
const step = 1e-4;

function unet(settings: Partial<UNetSettings>): Model {
  const all = { ...defaultUNet, depth: 2, baseChannels: 3, classes: 3, seed: 5, ...settings };
  const parameters = unetParameters(all);
  return { sha256: "", instantiate: (at) => unetGraph(all, parameters, at) };
}

function network(settings: Partial<UNetSettings>, of: Size = size): Network {
  return networkFor(unet(settings), of, { samples: "uint8", mean, std: [0.2, 0.3, 0.4] });
}

function explain(on: Network, method: MethodName, target: Target, tile: number, layer?: string): ReferenceExplanation {
  const classes = ["a", "b", "c"];
  const explanation = planExplanation(on, { method, target, classes, ...(layer === undefined ? {} : { layer }) });
  const samples = pixels.subarray(0, on.size.width * on.size.height * 3);
  return explainByReference(explanation, samples, tileGrid(on.size, { tile, stride: on.stride }));
}

function expectEqualMaps(tiled: ReferenceExplanation, whole: ReferenceExplanation): void {
  expect(whole.map.some((value) => value !== 0)).toBe(true);
  const range =
    whole.map.reduce((a, b) => Math.max(a, b), -Infinity) - whole.map.reduce((a, b) => Math.min(a, b), Infinity);
  const worst = whole.map.reduce((most, value, i) => Math.max(most, Math.abs(value - (tiled.map[i] ?? Number.NaN))), 0);
  expect(worst).toBeLessThanOrEqual(1e-9 * range);
  whole.outcome.logits.forEach((logit, i) => expect(tiled.outcome.logits[i]).toBeCloseTo(logit, 9));
}

const variants: readonly Partial<UNetSettings>[] = [
  { pool: { kind: "mean" }, upsampling: "transposed" },
  { pool: { kind: "max" }, upsampling: "linear" },
  { pool: { kind: "log-sum-exp", sharpness: 4 }, upsampling: "nearest" },
  { pool: { kind: "generalised-mean", power: 3 }, upsampling: "linear" },
  { pool: { kind: "log-sum-exp", sharpness: 2 }, pooled: "scores" },
  { pool: { kind: "max" }, pooled: "scores" },
];

describe("tiled = untiled, to 1e-9 of the map's range", () => {
  describe.each(variants)("%o", (settings) => {
    const on = network(settings);
    it.each(methodNames)("%s", (method) => {
      // Tiles smaller than the halo of 24 px, and tiles of which some have no border.
      for (const [target, tile] of [
        [{ kind: "top1" }, 12],
        [{ kind: "difference", index: 2, other: 0 }, 12],
      ] as const) {
        expectEqualMaps(explain(on, method, target, tile), explain(on, method, target, 64));
      }
    });
  });

  it.each(["grad-cam", "hires-cam", "layer-cam"] as const)("%s at an inner layer", (method) => {
    const on = network({ pool: { kind: "generalised-mean", power: 2 } });
    const whole = explain(on, method, { kind: "class", index: 1 }, 64, "down1");
    expectEqualMaps(explain(on, method, { kind: "class", index: 1 }, 8, "down1"), whole);
  });
});

describe("images of one row, of one column and of one pixel", () => {
  const target: Target = { kind: "class", index: 1 };

  // Of several pools; what else differs has its laws above.
  describe.each(variants.slice(0, 2))("%o", (settings) => {
    it.each(methodNames)("%s in tiles is that of the whole", (method) => {
      for (const of of [
        { width: 20, height: 1 },
        { width: 1, height: 20 },
        { width: 1, height: 1 },
      ]) {
        const on = network(settings, of);
        const [tiled, whole] = [explain(on, method, target, 8), explain(on, method, target, 32)];
        expect(whole.map).toHaveLength(of.width * of.height);
        const range = Math.max(...whole.map) - Math.min(...whole.map);
        whole.map.forEach((value, i) =>
          expect(Math.abs(value - (tiled.map[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-9 * range),
        );
        whole.outcome.logits.forEach((logit, i) => expect(tiled.outcome.logits[i]).toBeCloseTo(logit, 9));
      }
    });
  });

  it("sum(HiResCAM) + bias = logit on a mean-pooled layer", () => {
    for (const of of [
      { width: 30, height: 1 },
      { width: 1, height: 1 },
    ]) {
      const { map, outcome } = explain(network({ pool: { kind: "mean" } }, of), "hires-cam", target, 8);
      const sum = map.reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(outcome.logits[1] ?? Number.NaN, 10);
    }
  });

  it.each(["grad-cam", "hires-cam", "layer-cam"] as const)("%s at an inner layer of a single cell", (method) => {
    const on = network({ pool: { kind: "max" } }, { width: 4, height: 3 });
    const { map } = explain(on, method, target, 4, "down2");
    expect(map).toHaveLength(12);
    expect(new Set(map).size).toBe(1);
  });
});

describe("a model that ends in a sigmoid", () => {
  it.each([1, 3])(
    "of %d classes is explained as without it, and gives each class a probability of its own",
    (classes) => {
      const bare = unet({ classes });
      const ending: Model = {
        sha256: "",
        instantiate: (at) => {
          const [scores] = Object.values(bare.instantiate(at).outputs);
          if (scores === undefined) throw new RangeError("A model without scores.");
          return graphOf({ scores: sigmoid(scores) });
        },
      };
      const of = (model: Model): ReferenceExplanation => {
        const on = networkFor(model, size, { samples: "uint8", mean, std: [0.2, 0.3, 0.4] });
        return explain(on, "cam", { kind: "class", index: 0 }, 64);
      };
      const [whole, expected] = [of(ending), of(bare)];
      expectEqualMaps(whole, expected);
      expect([...whole.outcome.probabilities]).toEqual(
        [...whole.outcome.logits].map((logit) => 1 / (1 + Math.exp(-logit))),
      );
    },
  );
});

describe("closed forms", () => {
  it("sum(HiResCAM) + bias = logit on a mean-pooled layer", () => {
    const on = network({ pool: { kind: "mean" } });
    const { map, outcome } = explain(on, "hires-cam", { kind: "class", index: 1 }, 16);
    const sum = map.reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(outcome.logits[1] ?? Number.NaN, 10);
  });

  it("Grad-CAM = ReLU(CAM) / N, and = ReLU(HiResCAM), below a mean", () => {
    const on = network({ pool: { kind: "mean" } });
    const target: Target = { kind: "class", index: 2 };
    const cells = size.width * size.height;
    const gradCam = explain(on, "grad-cam", target, 16).map;
    explain(on, "cam", target, 16).map.forEach((value, i) =>
      expect(gradCam[i]).toBeCloseTo(Math.max(0, value) / cells, 12),
    );
    explain(on, "hires-cam", target, 16).map.forEach((value, i) =>
      expect(gradCam[i]).toBeCloseTo(Math.max(0, value), 12),
    );
  });

  it.each(["layer-cam", "saliency"] as const)(
    "the top class against the others, by %s below a generalised mean",
    (method) => {
      const on = network({ pool: { kind: "generalised-mean", power: 3 } });
      const top = explain(on, method, { kind: "top1-contrast" }, 32);
      const { index } = top.outcome.target;
      expectEqualMaps(explain(on, method, { kind: "contrast", index }, 32), top);
    },
  );

  it("the top class against the others is that class against them, and below a mean CAM of it the class's less the others' mean", () => {
    const on = network({ pool: { kind: "mean" } });
    const top = explain(on, "cam", { kind: "top1-contrast" }, 16);
    const { index } = top.outcome.target;
    const named = explain(on, "cam", { kind: "contrast", index }, 16).map;
    const each = [0, 1, 2].map((of) => explain(on, "cam", { kind: "class", index: of }, 16).map);
    top.map.forEach((value, i) => {
      const mean = each.reduce((sum, map, of) => sum + (of === index ? 0 : (map[i] ?? 0) / 2), 0);
      expect(value).toBeCloseTo(named[i] ?? Number.NaN, 12);
      expect(value).toBeCloseTo((each[index]?.[i] ?? Number.NaN) - mean, 9);
    });
  });

  it("below a maximum HiResCAM is not zero at one point for each channel at most", () => {
    const on = network({ pool: { kind: "max" } });
    const { map } = explain(on, "hires-cam", { kind: "class", index: 0 }, 8);
    const points = map.filter((value) => value !== 0).length;
    expect(points).toBeGreaterThan(0);
    expect(points).toBeLessThanOrEqual(3);
  });

  it("needs one sweep for the methods without a backward pass below a mean, whatever the target", () => {
    const on = network({ pool: { kind: "mean" } });
    for (const method of ["cam", "grad-cam", "hires-cam", "layer-cam"] as const) {
      for (const target of [{ kind: "top1" }, { kind: "class", index: 0 }] as const) {
        expect(explain(on, method, target, 64).sweeps).toBe(1);
      }
    }
    expect(explain(on, "saliency", { kind: "class", index: 0 }, 64).sweeps).toBe(1);
    expect(explain(on, "saliency", { kind: "top1" }, 64).sweeps).toBe(2);
  });

  it("needs two sweeps below a generalised mean: the mean gradient is summed up beside the pool", () => {
    const on = network({ pool: { kind: "generalised-mean", power: 3 } });
    for (const target of [{ kind: "top1" }, { kind: "class", index: 0 }] as const) {
      expect(explain(on, "grad-cam", target, 64).sweeps).toBe(2);
    }
  });
});

describe("the gradient to the input", () => {
  it.each(variants)("is the central difference of the logit: %o", (settings) => {
    const on = network(settings);
    const target: Target = { kind: "class", index: 1 };
    const explanation = planExplanation(on, { method: "input-x-gradient", target, classes: ["a", "b", "c"] });
    const grid = tileGrid(size, { tile: 12, stride: on.stride });
    const { map } = explainByReference(explanation, pixels, grid);
    const logitAt = (values: ArrayLike<number>): number =>
      explainByReference(explanation, values, tileGrid(size, { tile: 64, stride: on.stride })).outcome.logits[1] ??
      Number.NaN;
    for (const [x, y] of [
      [3, 5],
      [20, 17],
      [11, 12],
    ] as const) {
      const first = (y * size.width + x) * 3;
      const expected = [0, 1, 2].reduce((sum, channel) => {
        const moved = (by: number): Float64Array =>
          Float64Array.from(pixels, (value, i) => (i === first + channel ? value + by : value));
        const slope = (logitAt(moved(step)) - logitAt(moved(-step))) / (2 * step);
        // x dy/dx with x the normalised value: the derivative by the pixel, over the derivative of x by the pixel.
        return sum + ((pixels[first + channel] ?? 0) - 255 * (mean[channel] ?? 0)) * slope;
      }, 0);
      expect(map[y * size.width + x]).toBeCloseTo(expected, 6);
    }
  });
});

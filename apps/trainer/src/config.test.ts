import { SlidelightError } from "@slidelight/core";
import { describe, expect, it } from "vitest";
import { loadTrainConfig } from "./config.ts";
import { planTraining, splitOf } from "./plan-training.ts";

const load = (flags: Readonly<Record<string, unknown>> = {}) => loadTrainConfig({}, { out: "m.onnx", ...flags });

function faultsOf(flags: Readonly<Record<string, unknown>>): string {
  try {
    loadTrainConfig({}, flags);
    return "";
  } catch (error) {
    return error instanceof SlidelightError && error.code === "usage" ? error.message : String(error);
  }
}

const image = (label: string, width: number, height: number) => {
  return { uri: label, name: label, label, width, height, digest: "" };
};

describe("the options of train", () => {
  it("are told with all their faults in one message", () => {
    const faults = faultsOf({
      out: "m.txt",
      pool: "median",
      flips: "maybe",
      mean: "1,2",
      std: "1,0,1",
      epochs: "0",
      validation: "1",
      classWeights: "a=0",
      classes: "a",
      cache: "much",
    });
    const flags = [
      "--out",
      "--pool",
      "--flips",
      "--mean",
      "--std",
      "--epochs",
      "--validation",
      "--class-weights",
      "--classes",
      "--cache",
    ];
    for (const flag of flags) expect(faults).toContain(flag);
  });

  it("refuse a crop that the U-Net can't halve, and to go on while beginning anew", () => {
    expect(faultsOf({ out: "m.onnx", crop: "100" })).toContain("--crop");
    expect(faultsOf({ out: "m.onnx", crop: "100", depth: "2" })).toBe("");
    expect(faultsOf({ out: "m.onnx", resume: true, restart: true })).toContain("--restart");
  });

  it("name pools with their numbers", () => {
    expect(load().pool).toEqual({ kind: "generalised-mean", power: 2, learnt: true });
    expect(load({ pool: "generalised-mean:3" }).pool).toEqual({ kind: "generalised-mean", power: 3, learnt: false });
    expect(load({ pool: "log-sum-exp" }).pool).toEqual({ kind: "log-sum-exp", sharpness: 4 });
    expect(load({ pool: "max" }).pool).toEqual({ kind: "max" });
    for (const pool of ["max:2", "generalised-mean:0.5", "generalised-mean:9", "log-sum-exp:x", "mean:1:2"]) {
      expect(faultsOf({ out: "m.onnx", pool })).toContain("--pool");
    }
  });

  it("are asked of the environment where no flag is given", () => {
    expect(
      loadTrainConfig({ SLIDELIGHT_BASE_CHANNELS: "4", SLIDELIGHT_ENCODER_LOSS: "off" }, { out: "m.onnx" }),
    ).toMatchObject({
      baseChannels: 4,
      encoderLoss: 0,
    });
  });
});

describe("planning a training", () => {
  const images = [image("a", 100, 70), image("a", 90, 90), image("b", 400, 300), image("a", 64, 90)];
  const plan = (flags: Readonly<Record<string, unknown>> = {}) =>
    planTraining(load(flags), { images, classes: ["a", "b"] });

  it("sees squares of the median side, in whole strides, unless told otherwise", () => {
    expect(plan().views.side).toBe(88);
    expect(plan({ depth: "6" }).views.side).toBe(64);
    expect(plan({ crop: "256" }).views.side).toBe(256);
  });

  it("weighs classes so that each counts the same, or as it is told", () => {
    expect(plan().classWeights).toEqual([expect.closeTo(2 / 3, 9), 2]);
    expect(plan({ classWeights: "none" }).classWeights).toEqual([1, 1]);
    expect(plan({ classWeights: "b=3,a=1" }).classWeights).toEqual([1, 3]);
    expect(() => plan({ classWeights: "b=3" })).toThrow(
      expect.objectContaining({
        // Told once the images are read, so it is no wrong usage.
        code: "training-data",
        message: expect.stringMatching(/a weight for each of a, b, got b/u),
      }),
    );
  });

  it("learns the power of a generalised mean only when none is given", () => {
    expect(plan().network).toMatchObject({ learnsPower: true, unet: { pool: { kind: "generalised-mean", power: 2 } } });
    expect(plan({ pool: "generalised-mean:3" }).network).toMatchObject({ learnsPower: false });
  });

  it("gives the second loss to a U-Net alone: an encoder's scores are its own", () => {
    expect(plan().network).toMatchObject({ encoderLoss: 1, unet: { decoder: true } });
    expect(plan({ network: "encoder" }).network).toMatchObject({ encoderLoss: 0, unet: { decoder: false } });
    expect(plan({ network: "encoder", encoderLoss: "off" }).network).toMatchObject({ encoderLoss: 0 });
    expect(() => plan({ network: "encoder", encoderLoss: "1" })).toThrow(/--encoder-loss .*: leave it away/u);
  });

  it("asks for maps that turn with the image, unless images must not be turned", () => {
    expect(plan().network).toMatchObject({ equivariance: 0.3 });
    expect(plan({ rotations: "off" }).network).toMatchObject({ equivariance: 0 });
    expect(plan({ rotations: "off", equivariance: "0.5" }).network).toMatchObject({ equivariance: 0.5 });
    expect(plan({ equivariance: "off" }).network).toMatchObject({ equivariance: 0 });
  });

  it("splits as the table says, which must leave each class something to learn from", () => {
    const parts = ["training", "validation", "training", "validation"] as const;
    const told = images.map((entry, index) => ({ ...entry, ...(parts[index] && { part: parts[index] }) }));
    expect(splitOf(told, ["a", "b"])).toEqual({ training: [0, 2], validation: [1, 3] });
    expect(splitOf(images, ["a", "b"])).toBeUndefined();
    const without = told.map((entry) => ({ ...entry, part: "validation" as const }));
    expect(() => splitOf(without, ["a", "b"])).toThrow(/got none of a, b/u);
  });
});

import { describe, expect, it } from "vitest";
import { defaultUNet } from "../model/unet.ts";
import { epochBatches, trainingBatch } from "./batches.ts";
import { keyedRandom } from "./keyed-random.ts";
import { accuracyOf, confusionOf, weightedLoss } from "./scores.ts";
import { balancedWeights, stratifiedSplit } from "./split.ts";
import { stainJitter } from "./stain-jitter.ts";
import { centreView, copyView, randomView } from "./view.ts";
import type { View } from "./view.ts";

/** 4 x 3 pixels whose red is their column, green their row. */
const image = {
  width: 4,
  height: 3,
  samples: "uint8",
  data: Uint8Array.from({ length: 36 }, (_, i) => [Math.floor(i / 3) % 4, Math.floor(i / 12), 7][i % 3] ?? 0),
} as const;

/** "column,row" of each pixel of the square. */
function seen(view: View, side: number): readonly string[] {
  const to = new Uint8Array(side * side * 3 + 3);
  copyView(image, view, { side, to, offset: 3 });
  return Array.from({ length: side * side }, (_, i) => `${to[3 + i * 3]},${to[4 + i * 3]}`);
}

const plain: View = { left: 1, top: 1, mirrorX: false, mirrorY: false, transposed: false };

describe("the images of a step", () => {
  it("are followed by the first of them after a quarter turn to the left, in the same colours and without a target, where that is asked for", async () => {
    const images = { labels: [0, 1, 1], read: () => Promise.resolve(image) };
    const network = {
      unet: defaultUNet,
      normalised: true,
      learnsPower: false,
      encoderLoss: 0,
      consistency: 0,
      entropy: 0,
      equivariance: 0.5,
    };
    const settings = {
      network,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      views: { side: 2, crops: "random", flips: true, rotations: true },
      stains: 0.5,
      batchImages: 3,
      epochs: 1,
      patience: 0,
      optimiser: { kind: "adam", weightDecay: 0 },
      schedule: { kind: "constant", rate: 0.1, warmUp: 0, mapWarmUp: 0 },
      classWeights: [3, 4],
      validationShare: 0,
      seed: 5,
    } as const;
    const { pixels, targets, colours } = await trainingBatch(images, [2, 0, 1], { settings, epoch: 1 });
    const pixelsOf = (at: number): readonly string[] =>
      Array.from({ length: 4 }, (_, i) => pixels.subarray(at * 12 + i * 3, at * 12 + i * 3 + 3).join());
    expect(pixels).toHaveLength(4 * 12);
    const [a, b, c, d] = pixelsOf(0);
    expect(pixelsOf(3)).toEqual([b, d, a, c]);
    expect([...targets]).toEqual([0, 4, 3, 0, 0, 4, 0, 0]);
    expect(colours?.matrix.subarray(27)).toEqual(colours?.matrix.subarray(0, 9));
    expect(colours?.offset.subarray(9)).toEqual(colours?.offset.subarray(0, 3));
  });
});

describe("a square of an image", () => {
  it("is the pixels from its corner on, mirrored and transposed as is said", () => {
    expect(seen(plain, 2)).toEqual(["1,1", "2,1", "1,2", "2,2"]);
    expect(seen({ ...plain, mirrorX: true }, 2)).toEqual(["2,1", "1,1", "2,2", "1,2"]);
    expect(seen({ ...plain, mirrorY: true }, 2)).toEqual(["1,2", "2,2", "1,1", "2,1"]);
    expect(seen({ ...plain, transposed: true }, 2)).toEqual(["1,1", "1,2", "2,1", "2,2"]);
  });

  it("is mirrored beyond the border, without repeating it", () => {
    const row = seen(centreView(image, 6), 6).slice(12, 18);
    expect(row).toEqual(["1,0", "0,0", "1,0", "2,0", "3,0", "2,0"]);
  });

  it("takes the upper eight of sixteen bits", () => {
    const wide = { width: 1, height: 1, samples: "uint16", data: Uint16Array.of(0x1234, 0xff00, 0x00ff) } as const;
    const to = new Uint8Array(3);
    copyView(wide, centreView(wide, 1), { side: 1, to, offset: 0 });
    expect([...to]).toEqual([0x12, 0xff, 0]);
  });

  it("comes in all eight orientations with flips and rotations, in four with one of them, in one with neither", () => {
    const orientations = (flips: boolean, rotations: boolean): number => {
      const choices = { side: 2, crops: "centre", flips, rotations } as const;
      const found = Array.from({ length: 200 }, (_, key) => randomView(image, choices, keyedRandom(key)));
      return new Set(found.map((view) => seen(view, 2).join(" "))).size;
    };
    expect([
      orientations(true, true),
      orientations(true, false),
      orientations(false, true),
      orientations(false, false),
    ]).toEqual([8, 4, 4, 1]);
  });

  it("turns by rotations alone: no mirror image is among them", () => {
    const turned = ["1,1 2,1 1,2 2,2", "2,1 2,2 1,1 1,2", "2,2 1,2 2,1 1,1", "1,2 1,1 2,2 2,1"];
    const choices = { side: 2, crops: "centre", flips: false, rotations: true } as const;
    for (let key = 0; key < 50; key += 1) {
      const view = { ...randomView(image, choices, keyedRandom(key)), left: 1, top: 1 };
      expect(turned).toContain(seen(view, 2).join(" "));
    }
  });

  it("lies anywhere within the image", () => {
    const choices = { side: 2, crops: "random", flips: false, rotations: false } as const;
    const found = Array.from({ length: 200 }, (_, key) => randomView(image, choices, keyedRandom(key, 5)));
    expect(new Set(found.map(({ left, top }) => `${left},${top}`)).size).toBe(6);
    expect(Math.max(...found.map(({ left }) => left))).toBe(2);
    expect(Math.min(...found.map(({ top }) => top))).toBe(0);
  });
});

describe("the split", () => {
  const labels = [...Array.from({ length: 50 }, () => 0), ...Array.from({ length: 10 }, () => 1), 2];

  it("sets the same share of each class aside, never a class's last image", () => {
    const { training, validation } = stratifiedSplit(labels, { share: 0.2, seed: 1 });
    const count = (indices: readonly number[]): readonly number[] =>
      [0, 1, 2].map((label) => indices.filter((index) => labels[index] === label).length);
    expect(count(validation)).toEqual([10, 2, 0]);
    expect(count(training)).toEqual([40, 8, 1]);
    expect([...training, ...validation].toSorted((a, b) => a - b)).toEqual([...labels.keys()]);
  });

  it("depends on the seed alone", () => {
    const of = (seed: number): string => stratifiedSplit(labels, { share: 0.2, seed }).validation.join();
    expect(of(3)).toBe(of(3));
    expect(of(3)).not.toBe(of(4));
    expect(stratifiedSplit(labels, { share: 0, seed: 1 }).validation).toEqual([]);
  });

  it("is balanced by weights under which every class counts the same", () => {
    const weights = balancedWeights(labels, 3);
    expect(weights.map((weight, label) => weight * labels.filter((value) => value === label).length)).toEqual(
      [61 / 3, 61 / 3, 61 / 3].map((value) => expect.closeTo(value, 9)),
    );
  });
});

describe("an epoch", () => {
  it("has each image once at most, in whole batches, in an order of its own", () => {
    const batches = (epoch: number) => epochBatches([...Array(11).keys()], { seed: 2, epoch, batchImages: 3 });
    expect(batches(1).map(({ length }) => length)).toEqual([3, 3, 3]);
    expect(new Set(batches(1).flat()).size).toBe(9);
    expect(batches(1)).toEqual(batches(1));
    expect(batches(1)).not.toEqual(batches(2));
  });
});

describe("a change of stains", () => {
  it("is none at strength 0", () => {
    const { matrix, offset } = stainJitter(0, keyedRandom(1));
    expect(matrix).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1].map((value) => expect.closeTo(value, 12)));
    expect(offset).toEqual([0, 0, 0]);
  });

  it("multiplies a stain's own density by one factor, whatever its amount", () => {
    const { matrix } = stainJitter(0.3, keyedRandom(4));
    const haematoxylin = [0.65, 0.704, 0.286];
    const changed = [0, 1, 2].map((row) =>
      haematoxylin.reduce((sum, density, column) => sum + (matrix[row * 3 + column] ?? 0) * density, 0),
    );
    const factors = changed.map((density, channel) => density / (haematoxylin[channel] ?? 1));
    expect(factors).toEqual(factors.map(() => expect.closeTo(factors[0] ?? 0, 9)));
    expect(Math.abs((factors[0] ?? 0) - 1)).toBeLessThanOrEqual(0.3);
    expect(factors[0]).not.toBeCloseTo(1, 3);
  });
});

describe("scores", () => {
  const scored = { logits: Float32Array.of(2, 1, 0, 3, 1000, -1000), labels: [0, 0, 1], classes: 2 };

  it("are counted by class and the class they were taken for", () => {
    expect(confusionOf(scored)).toEqual([
      [1, 1],
      [1, 0],
    ]);
    expect(accuracyOf(confusionOf(scored))).toBeCloseTo(1 / 3, 12);
  });

  it("have a loss that does not overflow", () => {
    const { loss, weight } = weightedLoss(scored, [1, 2]);
    expect(loss).toBeCloseTo(Math.log(1 + Math.exp(-1)) + Math.log(1 + Math.exp(3)) + 2 * 2000, 4);
    expect(weight).toBe(4);
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import { chromatinAt } from "./chromatin.ts";
import type { Chromatin } from "./chromatin.ts";
import { tissueClasses, tissueDataset, tissueSample } from "./sample.ts";
import type { TissueSample } from "./sample.ts";
import { crossValidatedAccuracy, colourFeatures, textureFeatures } from "./summary-classifier.ts";

const seed = 5;
const of = (index: number, label: number, more = {}): TissueSample =>
  tissueSample({ seed, index, label, classes: 4, ...more });

describe("a sample of the tissue benchmark", () => {
  it("is the same for the same seed and index, and another for any other", () => {
    const sample = tissueSample({ seed, index: 3 });
    expect(tissueSample({ seed, index: 3 })).toEqual(sample);
    expect(tissueSample({ seed, index: 4 }).pixels).not.toEqual(sample.pixels);
    expect(tissueSample({ seed: 6, index: 3 }).pixels).not.toEqual(sample.pixels);
  });

  it("has pixels that no change of machine or version may alter", () => {
    const { pixels } = tissueSample({ seed: 1, index: 1 });
    expect(fnv1a(pixels)).toMatchInlineSnapshot(`"ad64fc08"`);
  });

  it("takes labels in turn, one to four evidence nuclei in every image but the normal ones", () => {
    const samples = [...tissueDataset({ seed, count: 40 })];
    expect(samples.map(({ label }) => label)).toEqual(samples.map((_, i) => i % 2));
    const counts = samples.filter(({ label }) => label === 1).map(({ evidence }) => evidence);
    expect(new Set(counts)).toEqual(new Set([1, 2, 3, 4]));
    for (const { label, mask, evidence } of samples) {
      const marked = mask.reduce((sum, value) => sum + value / 255, 0);
      if (label === 0) expect([marked, evidence]).toEqual([0, 0]);
      // Nuclei have radii from 5.4 to 7 and may be covered in part by a neighbour.
      else expect(marked).toBeGreaterThan(evidence * 40);
    }
  });

  it("differs from its counterpart of another label inside the mask alone, and there in the order of pixels only", () => {
    for (let index = 0; index < 12; index += 1) {
      const normal = of(index, 0);
      for (let label = 1; label < tissueClasses.length; label += 1) {
        const other = of(index, label);
        let outside = 0;
        let changed = 0;
        let marked = 0;
        const sums = [0, 0, 0];
        other.mask.forEach((value, i) => {
          const differs = [0, 1, 2].some((channel) => other.pixels[3 * i + channel] !== normal.pixels[3 * i + channel]);
          if (value === 255) {
            marked += 1;
            if (differs) changed += 1;
          } else if (differs) outside += 1;
          for (const channel of [0, 1, 2]) {
            sums[channel] =
              (sums[channel] ?? 0) + (other.pixels[3 * i + channel] ?? 0) - (normal.pixels[3 * i + channel] ?? 0);
          }
        });
        // A nucleus's soft rim (cover below one half) is outside the mask, and is chromatin too.
        expect(outside).toBeLessThan(0.7 * marked);
        expect(changed).toBeGreaterThan(0.9 * marked);
        // Over the nucleus, mean colour moves by chance only: the noise of ranks at the rim.
        for (const sum of sums) expect(Math.abs(sum) / marked).toBeLessThan(5);
      }
    }
  });

  it("may be larger, of another magnification, of fewer cells", () => {
    const fine = of(2, 1, { width: 200, height: 160, micronsPerPixel: 0.25, evidence: [2, 2] });
    expect([fine.pixels.length, fine.mask.length, fine.evidence]).toEqual([200 * 160 * 3, 200 * 160, 2]);
    const marked = (sample: TissueSample): number => sample.mask.reduce((sum, value) => sum + value / 255, 0);
    // Twice the magnification: four times the pixels for each nucleus, within the spread of sizes.
    const coarse = of(2, 1, { evidence: [2, 2] });
    expect(marked(fine) / marked(coarse)).toBeGreaterThan(2.5);
    expect(of(2, 1, { cellDensity: 0.4, width: 256, height: 256 }).pixels).not.toEqual(
      of(2, 1, { width: 256, height: 256 }).pixels,
    );
  });

  it("refuses settings that make no sense", () => {
    expect(() => tissueSample({ seed, index: 0, classes: 5 })).toThrow("2 to 4 classes, got 5");
    expect(() => tissueSample({ seed, index: 0, evidence: [3, 2] })).toThrow("got [3, 2]");
    expect(() => tissueSample({ seed, index: 0, label: 9 })).toThrow("0 to 1, got 9");
    expect(() => tissueSample({ seed, index: 0, cellDensity: 2 })).toThrow("cellDensity from 0 to 1, got 2");
    expect(() => tissueSample({ seed, index: 0, micronsPerPixel: 0 })).toThrow("positive micronsPerPixel");
    expect(() => tissueSample({ seed, index: 0, width: 32, height: 32 })).toThrow("larger images");
  });
});

describe("what tells the classes of the benchmark apart", () => {
  let samples: readonly TissueSample[] = [];
  beforeAll(() => {
    samples = [...tissueDataset({ seed: 11, count: 400 })];
  });

  it("is not mean colour, contrast, a colour histogram, or the share of nuclei: these classify by chance", () => {
    const accuracy = crossValidatedAccuracy(
      samples.map(({ pixels, label }) => ({ features: colourFeatures(pixels), label })),
    );
    // 0.5 within 3.3 standard deviations of guessing 400 labels.
    expect(Math.abs(accuracy - 0.5)).toBeLessThan(3.3 * Math.sqrt(0.25 / samples.length));
  });

  it("is the texture within the evidence: told where to look, the same classifier knows it, and its colours still do not", () => {
    // Normal images are looked at where their counterparts have evidence: the label is in the pixels, not in the mask.
    const masks = samples.map(({ label, mask }, index) =>
      label === 1 ? mask : tissueSample({ seed: 11, index, label: 1 }).mask,
    );
    const accuracyOf = (featuresOf: (sample: TissueSample, mask: Uint8Array) => readonly number[]): number =>
      crossValidatedAccuracy(
        samples.map((sample, i) => ({ features: featuresOf(sample, masks[i] ?? sample.mask), label: sample.label })),
      );
    expect(accuracyOf(({ pixels, width }, mask) => textureFeatures(pixels, mask, width))).toBeGreaterThan(0.95);
    const byColour = accuracyOf(({ pixels }, mask) => colourFeatures(pixels, mask));
    expect(Math.abs(byColour - 0.5)).toBeLessThan(3.3 * Math.sqrt(0.25 / samples.length));
  });
});

describe("maps that know nothing of the class", () => {
  it("score low on the benchmark: a constant map the mask's share, a map of dark pixels little more", () => {
    const evident = [...tissueDataset({ seed: 13, count: 60 })].filter(({ label }) => label === 1);
    const dark = evident.flatMap(({ pixels, mask }) =>
      Array.from(mask, (value, i) => ({ score: 255 - (pixels[3 * i] ?? 0), isEvidence: value === 255 })),
    );
    const share = dark.filter(({ isEvidence }) => isEvidence).length / dark.length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.03);
    // Nuclei are dark, and about one plump nucleus in ten is evidence.
    expect(averagePrecision(dark)).toBeLessThan(0.12);
    expect(averagePrecision(dark)).toBeGreaterThan(share);
  });
});

describe("chromatin", () => {
  it("has the same set of values in every texture, so no histogram tells one from another", () => {
    const along = Float64Array.from({ length: 121 }, (_, i) => (i % 11) - 5);
    const across = Float64Array.from({ length: 121 }, (_, i) => Math.floor(i / 11) - 5);
    // 21 places of the rim, 100 inside.
    const stratum = Uint8Array.from({ length: 121 }, (_, i) => (i < 21 ? 0 : 1));
    const textures: readonly Chromatin[] = ["clumped", "granular", "banded", "ringed"];
    for (const texture of textures) {
      const values = chromatinAt(texture, { along, across, stratum }, 77);
      for (const part of [values.subarray(0, 21), values.subarray(21)]) {
        const evenly = Float64Array.from(part, (_, rank) => (2 * rank + 1) / part.length - 1);
        expect(part.toSorted()).toEqual(evenly);
      }
      if (texture !== "clumped") expect(values).not.toEqual(chromatinAt("clumped", { along, across, stratum }, 77));
    }
  });
});

/** Of pixels in order of falling score: the mean of the precision over all evidence pixels. */
function averagePrecision(pixels: readonly { readonly score: number; readonly isEvidence: boolean }[]): number {
  let found = 0;
  let sum = 0;
  pixels
    .toSorted((a, b) => b.score - a.score)
    .forEach(({ isEvidence }, rank) => {
      if (!isEvidence) return;
      found += 1;
      sum += found / (rank + 1);
    });
  return sum / found;
}

function fnv1a(bytes: Uint8Array): string {
  let h = 0x811c9dc5;
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  return (h >>> 0).toString(16);
}

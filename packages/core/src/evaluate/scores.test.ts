import { describe, expect, it } from "vitest";
import { uniforms } from "../model/random.ts";
import { averagePrecision, prevalence } from "./average-precision.ts";
import { bestOverlap } from "./best-overlap.ts";
import { openClassScorer } from "./class-scores.ts";
import { rankingArea } from "./ranking-area.ts";
import { openScoreHistogram } from "./score-histogram.ts";
import type { ScoreHistogram } from "./score-histogram.ts";

interface Sample {
  readonly scores: Float32Array;
  readonly positives: Uint8Array;
}

/** Scores of both signs with many ties, each of which float32's upper bits tell from the next. */
function sampleOf(seed: number, count = 300): Sample {
  const random = uniforms(seed);
  const positives = Uint8Array.from({ length: count }, () => (random() < 0.3 ? 255 : 0));
  return {
    positives,
    scores: Float32Array.from(positives, (positive) => Math.round((random() * 2 - 1 + positive / 400) * 32) / 32),
  };
}

function histogramOf(...samples: readonly Sample[]): ScoreHistogram {
  const histogram = openScoreHistogram();
  for (const { scores, positives } of samples) histogram.add(scores, positives);
  return histogram;
}

const groupsOf = (...samples: readonly Sample[]) => histogramOf(...samples).groups();

/** As scikit-learn has it: at each distinct score, what scores at least as much is taken. */
function bruteForce({ scores, positives }: Sample): { precision: number; dice: number; area: number } {
  const thresholds = [...new Set(scores)].toSorted((a, b) => b - a);
  const isPositive = (index: number): boolean => positives[index] !== 0;
  const all = scores.filter((_, index) => isPositive(index)).length;
  let [recall, precision, dice] = [0, 0, 0];
  for (const threshold of thresholds) {
    const taken = [...scores.keys()].filter((index) => (scores[index] ?? 0) >= threshold);
    const found = taken.filter(isPositive).length;
    precision += (found / all - recall) * (found / taken.length);
    recall = found / all;
    dice = Math.max(dice, (2 * found) / (all + taken.length));
  }
  let wins = 0;
  for (const [i, a] of scores.entries()) {
    for (const [j, b] of scores.entries()) {
      if (isPositive(i) && !isPositive(j)) wins += a > b ? 1 : a === b ? 0.5 : 0;
    }
  }
  return { precision, dice, area: wins / (all * (scores.length - all)) };
}

describe("scores by a histogram", () => {
  it("equal what sorting all of them gives", () => {
    for (const seed of [1, 2, 3]) {
      const sample = sampleOf(seed);
      const { precision, dice, area } = bruteForce(sample);
      const overlap = bestOverlap(groupsOf(sample));
      expect(averagePrecision(groupsOf(sample))).toBeCloseTo(precision, 12);
      expect(rankingArea(groupsOf(sample))).toBeCloseTo(area, 12);
      expect(overlap.dice).toBeCloseTo(dice, 12);
      expect(overlap.iou).toBeCloseTo(dice / (2 - dice), 12);
    }
  });

  it("do not depend on whether scores came in parts, or from several histograms", () => {
    const [a, b] = [sampleOf(4), sampleOf(5)];
    const together: Sample = {
      scores: Float32Array.from([...a.scores, ...b.scores]),
      positives: Uint8Array.from([...a.positives, ...b.positives]),
    };
    const merged = histogramOf(a);
    merged.merge(histogramOf(b));
    expect(groupsOf(a, b)).toEqual(groupsOf(together));
    expect(merged.groups()).toEqual(groupsOf(together));
  });

  it("depend on the order of scores alone, however small or large they are", () => {
    const sample = sampleOf(6);
    const expected = averagePrecision(groupsOf(sample));
    for (const rescale of [(x: number) => x * 1e-20, (x: number) => x * 1e20, (x: number) => Math.exp(3 * x)]) {
      const scores = sample.scores.map(rescale);
      expect(averagePrecision(groupsOf({ ...sample, scores }))).toBeCloseTo(expected, 12);
    }
    const upsideDown = rankingArea(groupsOf({ ...sample, scores: sample.scores.map((x) => -x) }));
    expect(upsideDown).toBeCloseTo(1 - rankingArea(groupsOf(sample)), 12);
  });

  it("are 1 for the mask itself and the share of positives for a constant", () => {
    const { positives } = sampleOf(7);
    const itself = groupsOf({ positives, scores: Float32Array.from(positives) });
    expect([averagePrecision(itself), bestOverlap(itself).dice, rankingArea(itself)]).toEqual([1, 1, 1]);
    expect(bestOverlap(itself).threshold).toBeCloseTo(255, 0);
    for (const value of [0, -3, 1e-30]) {
      const constant = groupsOf({ positives, scores: new Float32Array(positives.length).fill(value) });
      expect(averagePrecision(constant)).toBeCloseTo(prevalence(constant), 12);
      expect(rankingArea(constant)).toBe(0.5);
    }
  });

  it("tell the scores of their groups to 1/2048, and take -0 for 0", () => {
    const scores = Float32Array.from([1234.5, 0.001, 0, -0, -0.001, -1234.5]);
    const groups = groupsOf({ scores, positives: Uint8Array.from([1, 1, 1, 0, 0, 0]) });
    expect(groups.map(({ positives, negatives }) => [positives, negatives])).toEqual([
      [1, 0],
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 1],
    ]);
    for (const [index, exact] of [1234.5, 0.001, 0, -0.001, -1234.5].entries()) {
      expect(Math.abs((groups[index]?.score ?? Number.NaN) - exact)).toBeLessThanOrEqual(Math.abs(exact) / 1024);
    }
  });

  it("refuse what is no number, and are none without positives", () => {
    expect(() => groupsOf({ scores: Float32Array.from([Number.NaN]), positives: Uint8Array.from([1]) })).toThrow(
      RangeError,
    );
    const none = groupsOf({ scores: Float32Array.from([1, 2]), positives: Uint8Array.from([0, 0]) });
    expect([averagePrecision(none), bestOverlap(none).dice, rankingArea(none)]).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
  });
});

describe("scores of classes", () => {
  const scored = (logits: readonly (readonly number[])[], labels: readonly number[], classes: number) => {
    const scorer = openClassScorer(classes);
    for (const [index, own] of logits.entries()) scorer.add(own, labels[index] ?? 0);
    return scorer.result();
  };

  it("of a model with a single class tell nothing, and are none the less scores", () => {
    const { accuracy, area, confusion } = scored([[3], [-1]], [0, 0], 1);
    expect({ accuracy, area, confusion }).toEqual({ accuracy: 1, area: Number.NaN, confusion: [[2]] });
  });

  it("are accuracy, confusion, and for two classes the ordinary area", () => {
    const logits = [
      [3, 0],
      [1, 0.5],
      [0, 0.25],
      [2, 1.75],
      [400, 0],
      [0, 400],
    ];
    const labels = [0, 1, 0, 1, 0, 1];
    const difference = Float32Array.from(logits, ([a = 0, b = 0]) => b - a);
    const { accuracy, area, confusion } = scored(logits, labels, 2);
    expect(accuracy).toBeCloseTo(3 / 6, 12);
    expect(confusion).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect(area).toBeCloseTo(bruteForce({ scores: difference, positives: Uint8Array.from(labels) }).area, 12);
  });

  it("are for more classes the mean of each against the rest, without those that no image has", () => {
    const random = uniforms(8);
    const logits = Array.from({ length: 40 }, () => Array.from({ length: 4 }, () => random() * 4));
    const labels = logits.map(() => Math.floor(random() * 3));
    const probability = (own: readonly number[], index: number): number => {
      const powers = own.map(Math.exp);
      return (powers[index] ?? 0) / powers.reduce((a, b) => a + b, 0);
    };
    const areas = [0, 1, 2].map((index) => {
      const scores = Float32Array.from(logits, (own) => probability(own, index));
      return bruteForce({ scores, positives: Uint8Array.from(labels, (label) => (label === index ? 1 : 0)) }).area;
    });
    expect(scored(logits, labels, 4).area).toBeCloseTo(areas.reduce((a, b) => a + b, 0) / 3, 2);
    expect(scored([[1, 0]], [0], 2).area).toBeNaN();
  });
});

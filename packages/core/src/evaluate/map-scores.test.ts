import { describe, expect, it } from "vitest";
import { uniforms } from "../model/random.ts";
import { openMapScorer } from "./map-scores.ts";
import type { MapScores } from "./map-scores.ts";
import { pointingGame } from "./pointing-game.ts";
import { rankCorrelation } from "./rank-correlation.ts";
import { massAccuracy, rankAccuracy } from "./relevance-accuracy.ts";

const map = (...values: readonly number[]): Float32Array => Float32Array.from(values);
const mask = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

function scoresOf(pairs: readonly (readonly [Float32Array, Uint8Array])[]): MapScores {
  const scorer = openMapScorer();
  for (const [values, evidence] of pairs) scorer.add(values, evidence);
  return scorer.result();
}

const some = (seed: number): readonly [Float32Array, Uint8Array] => {
  const random = uniforms(seed);
  const evidence = Uint8Array.from({ length: 64 }, () => (random() < 0.2 ? 1 : 0));
  return [Float32Array.from(evidence, (value) => random() - 0.3 + value / 2), evidence];
};

describe("scores of maps", () => {
  it("are perfect for the masks themselves", () => {
    const pairs = [some(1), some(2)].map(([, evidence]) => [Float32Array.from(evidence), evidence] as const);
    const perfect = { pxap: 1, dice: 1, iou: 1 };
    expect(scoresOf(pairs)).toEqual({
      oneScale: perfect,
      imageScale: perfect,
      pointingGame: 1,
      massAccuracy: 1,
      rankAccuracy: 1,
    });
  });

  it("are the masks' shares for constant maps", () => {
    const shares = [some(1)[1], some(2)[1]].map((evidence) => evidence.reduce((a, b) => a + b, 0) / 64);
    const mean = ((shares[0] ?? 0) + (shares[1] ?? 0)) / 2;
    const scores = scoresOf([some(1), some(2)].map(([, evidence]) => [new Float32Array(64).fill(3), evidence]));
    expect(scores.oneScale.pxap).toBeCloseTo(mean, 12);
    expect(scores.imageScale.pxap).toBeCloseTo(mean, 12);
    expect(scores.oneScale.dice).toBeCloseTo((2 * mean) / (1 + mean), 12);
    expect(scores.oneScale.iou).toBeCloseTo(mean, 12);
    for (const key of ["pointingGame", "massAccuracy", "rankAccuracy"] as const) {
      expect(scores[key]).toBeCloseTo(mean, 12);
    }
  });

  it("stay when all maps are stretched alike, and on a scale for each image when each is by itself", () => {
    const pairs = [some(3), some(4), some(5)];
    const before = scoresOf(pairs);
    const alike = scoresOf(pairs.map(([values, evidence]) => [values.map((x) => 4 * x), evidence]));
    expect(alike).toEqual(before);
    const apart = scoresOf(pairs.map(([values, evidence], index) => [values.map((x) => x * 16 ** index), evidence]));
    expect(apart.imageScale).toEqual(before.imageScale);
    expect(apart.oneScale.pxap).not.toBeCloseTo(before.oneScale.pxap, 3);
  });

  it("share the pointing game's point where the maximum occurs several times", () => {
    expect(pointingGame(map(0, 2, 1), mask(0, 1, 0))).toBe(1);
    expect(pointingGame(map(0, 2, 3), mask(0, 1, 0))).toBe(0);
    expect(pointingGame(map(3, 3, 3, -1), mask(0, 1, 0, 1))).toBeCloseTo(1 / 3, 12);
  });

  it("count relevance by mass and by rank", () => {
    expect(massAccuracy(map(1, 3, -8, 4), mask(0, 255, 255, 0))).toBeCloseTo(3 / 8, 12);
    expect(massAccuracy(map(0, -1), mask(1, 0))).toBe(0);
    expect(rankAccuracy(map(1, 3, -8, 4), mask(0, 1, 1, 0))).toBeCloseTo(1 / 2, 12);
    // The second of the two highest is one of three equal values, one of which is in the mask.
    expect(rankAccuracy(map(9, 2, 2, 2, 1), mask(1, 0, 1, 0, 0))).toBeCloseTo((1 + 1 / 3) / 2, 12);
    expect(rankAccuracy(map(1, 2), mask(0, 0))).toBeNaN();
  });
});

describe("rank correlation", () => {
  it("sees order alone", () => {
    const values = map(0.1, 5, 2, 8, -3, 0);
    const correlated = (other: Float32Array): number => rankCorrelation(values, other) ?? Number.NaN;
    expect(correlated(values.map((x) => x ** 3))).toBeCloseTo(1, 12);
    expect(correlated(values.map((x) => -x))).toBeCloseTo(-1, 12);
  });

  it("gives equal values the mean of their ranks, as scipy.stats.spearmanr does", () => {
    expect(rankCorrelation(map(1, 2, 2, 3), map(1, 3, 2, 4))).toBeCloseTo(0.9486832980505138, 12);
  });

  it("is undefined for a constant", () => {
    expect(rankCorrelation(map(1, 2), map(3, 3))).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { mergeStatistics } from "./statistics.ts";
import type { Statistic } from "./statistics.ts";

const vector = (...values: number[]): Float64Array => Float64Array.from(values);

const sums: Statistic[] = [
  { kind: "sum", sum: vector(1, -2) },
  { kind: "sum", sum: vector(3, 0.5) },
  { kind: "sum", sum: vector(-7, 11) },
];
const maxima: Statistic[] = [
  { kind: "max", max: vector(5, 1), row: vector(3, 0), column: vector(2, 0) },
  { kind: "max", max: vector(5, 2), row: vector(1, 9), column: vector(8, 9) },
  { kind: "max", max: vector(4, 2), row: vector(0, 9), column: vector(0, 4) },
];
const logSumExps: Statistic[] = [
  { kind: "log-sum-exp", max: vector(700, 0), scaled: vector(1.5, 2) },
  { kind: "log-sum-exp", max: vector(-700, 1), scaled: vector(1, 1) },
  { kind: "log-sum-exp", max: vector(699, -3), scaled: vector(2, 8) },
];

describe("merging statistics", () => {
  it.each([
    ["sums", sums],
    ["maxima", maxima],
    ["log-sum-exps", logSumExps],
  ])("of %s is associative and commutative to rounding", (_, [a, b, c]) => {
    if (a === undefined || b === undefined || c === undefined) throw new RangeError("three statistics");
    const left = mergeStatistics(mergeStatistics(a, b), c);
    const right = mergeStatistics(a, mergeStatistics(b, c));
    const turned = mergeStatistics(mergeStatistics(c, b), a);
    for (const [key, value] of Object.entries(left)) {
      if (!(value instanceof Float64Array)) continue;
      for (const other of [right, turned]) {
        const values: unknown = Object.entries(other).find(([name]) => name === key)?.[1];
        expect(values).toBeInstanceOf(Float64Array);
        if (values instanceof Float64Array) value.forEach((x, k) => expect(values[k]).toBeCloseTo(x, 12));
      }
    }
  });

  it("keeps the first of equal maxima in row-major order", () => {
    const merged = maxima.reduce((a, b) => mergeStatistics(a, b));
    expect(merged).toEqual({ kind: "max", max: vector(5, 2), row: vector(1, 9), column: vector(8, 4) });
  });

  it("does not overflow where exp would", () => {
    const merged = logSumExps.reduce((a, b) => mergeStatistics(a, b));
    expect(merged.kind === "log-sum-exp" && merged.scaled[0]).toBeCloseTo(1.5 + 2 * Math.exp(-1), 12);
  });

  it("refuses statistics of two kinds", () => {
    const [sum] = sums;
    const [max] = maxima;
    if (sum === undefined || max === undefined) throw new RangeError("two statistics");
    expect(() => mergeStatistics(sum, max)).toThrow(TypeError);
  });
});

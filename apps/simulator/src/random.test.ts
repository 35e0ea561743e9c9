import { expect, test } from "vitest";
import { randomOf } from "./random.ts";

const many = 20_000;

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("equal labels give equal numbers, others other ones", () => {
  const numbers = (...labels: readonly (string | number)[]) => {
    const random = randomOf(...labels);
    return [random.uniform(), random.normal(), random.exponential()];
  };
  expect(numbers(1, "slide", 7)).toEqual(numbers(1, "slide", 7));
  expect(numbers(1, "slide", 7)).not.toEqual(numbers(1, "slide", 8));
  expect(numbers(1, "slide", 7)).not.toEqual(numbers(2, "slide", 7));
});

test("numbers have the mean and the spread that they should have, of one stream and over the first of many", () => {
  const one = randomOf("one");
  const streams = {
    one: () => one,
    many: (index: number) => randomOf("many", index),
  };
  for (const stream of Object.values(streams)) {
    const draw = (take: (index: number) => number) => Array.from({ length: many }, (_, index) => take(index));
    const uniform = draw((index) => stream(index).uniform());
    const normal = draw((index) => stream(index).normal());
    const exponential = draw((index) => stream(index).exponential());
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(meanOf(uniform)).toBeCloseTo(0.5, 1);
    expect(meanOf(normal)).toBeCloseTo(0, 1);
    expect(meanOf(normal.map((value) => value ** 2))).toBeCloseTo(1, 1);
    expect(meanOf(exponential)).toBeCloseTo(1, 1);
  }
});

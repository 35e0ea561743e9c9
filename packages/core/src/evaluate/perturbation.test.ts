import { describe, expect, it } from "vitest";
import type { Pixels } from "../format/image.ts";
import { areaUnderCurve, blurred, meanColour, replacedStepwise } from "./perturbation.ts";
import { relevanceOrder } from "./relevance-order.ts";

const imageOf = (width: number, height: number, value: (index: number) => number): Pixels => {
  return { width, height, samples: "uint8", data: Uint8Array.from({ length: width * height * 3 }, (_, i) => value(i)) };
};

describe("perturbation", () => {
  it("replaces the most relevant pixels first, in equal steps", () => {
    const from = imageOf(5, 1, () => 0);
    const to = imageOf(5, 1, (index) => 10 + index);
    const order = relevanceOrder(Float32Array.from([1, 7, -2, 7, 3]));
    expect([...order]).toEqual([1, 3, 4, 0, 2]);
    const changed = [...replacedStepwise(from, to, { order, steps: 2 })].length;
    expect(changed).toBe(3);
    const pictures: number[][] = [];
    for (const { data } of replacedStepwise(from, to, { order, steps: 2 })) {
      pictures.push([...data].flatMap((value, index) => (value === 0 || index % 3 > 0 ? [] : [index / 3])));
    }
    expect(pictures).toEqual([[], [1, 3, 4], [0, 1, 2, 3, 4]]);
    // The images that were given stay as they are.
    expect(from.data.every((value) => value === 0)).toBe(true);
  });

  it("takes areas by trapezia", () => {
    expect(areaUnderCurve([0, 0.5, 1])).toBeCloseTo(0.5, 12);
    expect(areaUnderCurve([1, 1, 0, 0])).toBeCloseTo(0.5, 12);
  });

  it("fills with the mean of each channel", () => {
    expect([...meanColour(imageOf(2, 1, (index) => [10, 20, 30, 30, 40, 60][index] ?? 0)).data]).toEqual([
      20, 30, 45, 20, 30, 45,
    ]);
  });

  it("blurs as a Gaussian of 5 pixels does", () => {
    const side = 61;
    const middle = (side >> 1) * side + (side >> 1);
    const point: Pixels = { width: side, height: side, samples: "uint16", data: new Uint16Array(side * side * 3) };
    point.data[middle * 3 + 1] = 65_535;
    const { data } = blurred(point);
    const peak = 65_535 / (2 * Math.PI * 25);
    for (const distance of [0, 3, 6, 10]) {
      const exact = peak * Math.exp(-(distance ** 2) / 50);
      expect(Math.abs((data[(middle + distance) * 3 + 1] ?? 0) - exact)).toBeLessThan(0.07 * peak);
      expect(data[(middle + distance) * 3 + 1]).toBe(data[(middle - distance * side) * 3 + 1]);
    }
    expect(data[middle * 3]).toBe(0);
    expect(blurred(imageOf(4, 3, () => 77)).data.every((value) => value === 77)).toBe(true);
  });
});

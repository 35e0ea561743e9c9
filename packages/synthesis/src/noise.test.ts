import { describe, expect, it } from "vitest";
import { direction, noiseField, smoothNoise, wave } from "./noise.ts";

describe("noise", () => {
  it("is the same as a field and at a position, wherever the field starts", () => {
    for (const step of [1, 0.5, 1.3]) {
      const view = { x: -37, y: 12, width: 60, height: 45, step };
      const field = noiseField(9, view, 7.5);
      for (const [x, y] of [
        [0, 0],
        [59, 44],
        [31, 17],
      ] as const) {
        const at = smoothNoise(9, (view.x + x) * step, (view.y + y) * step, 7.5);
        // The field is kept in float32.
        expect(field[y * 60 + x]).toBe(Math.fround(at));
      }
    }
  });

  it("has waves that start in the middle, rise first, and stay between 0 and 1", () => {
    expect([0, 0.25, 0.5, 0.75, 1].map(wave)).toEqual([0.5, 1, 0.5, 0, 0.5]);
    expect(wave(-0.75)).toBe(wave(0.25));
  });

  it("has directions of length 1, to every side", () => {
    const quadrants = new Set<string>();
    for (let i = 0; i < 50; i += 1) {
      const { x, y } = direction(3, i, -i);
      expect(x * x + y * y).toBeCloseTo(1, 12);
      quadrants.add(`${x > 0} ${y > 0}`);
    }
    expect(quadrants.size).toBe(4);
  });
});

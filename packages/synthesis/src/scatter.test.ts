import { describe, expect, it } from "vitest";
import { scatter } from "./scatter.ts";

const settings = { seed: 4, apart: 10, accept: (): boolean => true };
const points = scatter({ left: -100, top: -50, right: 300, bottom: 250 }, settings);

describe("scattered points", () => {
  it("keep their distance, and are many", () => {
    // Two candidates a cell thinned by Matérn's rule: (1 - exp(-2 pi)) / pi = 0.32 for each cell of 10 x 10, were they a Poisson process.
    expect(points.length / 1200).toBeGreaterThan(0.27);
    expect(points.length / 1200).toBeLessThan(0.37);
    for (const [i, { x, y }] of points.entries()) {
      for (const other of points.slice(i + 1)) expect(Math.hypot(other.x - x, other.y - y)).toBeGreaterThanOrEqual(10);
    }
  });

  it("agree, in order too, with those of other bounds where the two overlap", () => {
    const bounds = { left: 13.5, top: 20.25, right: 140, bottom: 120 };
    const inside = points.filter(
      ({ x, y }) => x >= bounds.left && x < bounds.right && y >= bounds.top && y < bounds.bottom,
    );
    expect(scatter(bounds, settings)).toEqual(inside);
  });

  it("leave room to others where they are refused", () => {
    const left = scatter({ left: -100, top: -50, right: 300, bottom: 250 }, { ...settings, accept: (x) => x < 100 });
    expect(left.every(({ x }) => x < 100)).toBe(true);
    const near = ({ x }: { readonly x: number }): boolean => x > 90 && x < 100;
    expect(left.filter(near).length).toBeGreaterThanOrEqual(points.filter(near).length);
  });
});

import { describe, expect, it } from "vitest";
import { renderTissue } from "./tissue.ts";

const settings = { seed: 7, atypical: 0.6 };
const whole = renderTissue({ x: 100, y: 50, width: 700, height: 600 }, settings);

describe("tissue", () => {
  it("is the same wherever a region starts", () => {
    const part = renderTissue({ x: 350, y: 220, width: 120, height: 90 }, settings);
    for (let y = 0; y < 90; y += 1) {
      const at = (y + 170) * 700 + 250;
      expect(part.rgb.subarray(y * 360, (y + 1) * 360)).toEqual(whole.rgb.subarray(at * 3, (at + 120) * 3));
      expect(part.mask.subarray(y * 120, (y + 1) * 120)).toEqual(whole.mask.subarray(at, at + 120));
    }
  });

  it("has a mask that marks atypical nuclei alone: dark pixels, none in normal tissue", () => {
    const marked = whole.mask.reduce((count, value) => count + (value === 255 ? 1 : 0), 0);
    expect(marked).toBeGreaterThan(1000);
    let darker = 0;
    whole.mask.forEach((value, i) => {
      if (value === 255 && (whole.rgb[i * 3] ?? 255) < 170) darker += 1;
    });
    expect(darker / marked).toBeGreaterThan(0.9);
    const normal = renderTissue({ x: 100, y: 50, width: 300, height: 300 }, { seed: 7, atypical: 0 });
    expect(normal.mask.every((value) => value === 0)).toBe(true);
  });

  it("differs from seed to seed", () => {
    const other = renderTissue({ x: 100, y: 50, width: 64, height: 64 }, { seed: 8, atypical: 0.6 });
    expect(other.rgb).not.toEqual(renderTissue({ x: 100, y: 50, width: 64, height: 64 }, settings).rgb);
  });
});

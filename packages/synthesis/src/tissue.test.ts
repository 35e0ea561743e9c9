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

  it("has a mask that marks evidence nuclei alone: dark pixels, none in normal tissue", () => {
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

  it("has the same colours with evidence as without", () => {
    const normal = renderTissue({ x: 100, y: 50, width: 700, height: 600 }, { seed: 7, atypical: 0 });
    for (const channel of [0, 1, 2]) {
      let difference = 0;
      for (let i = channel; i < normal.rgb.length; i += 3) difference += (whole.rgb[i] ?? 0) - (normal.rgb[i] ?? 0);
      // Grey levels in the mean of the marked pixels: what is left are nuclei's rims, by chance.
      expect(Math.abs(difference) / whole.mask.filter((value) => value === 255).length).toBeLessThan(1);
    }
  });

  it("ends at bare glass where that is asked for, with no nucleus on it", () => {
    const { rgb, mask } = renderTissue({ x: 0, y: 0, width: 400, height: 400 }, { seed: 7, atypical: 1, glass: true });
    const open = rgb.filter((value, i) => i % 3 === 0 && value > 225).length;
    expect(open / mask.length).toBeGreaterThan(0.9);
    expect(mask.every((value) => value === 0)).toBe(true);
  });

  it("differs from seed to seed", () => {
    const other = renderTissue({ x: 100, y: 50, width: 64, height: 64 }, { seed: 8, atypical: 0.6 });
    expect(other.rgb).not.toEqual(renderTissue({ x: 100, y: 50, width: 64, height: 64 }, settings).rgb);
  });
});

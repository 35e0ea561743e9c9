import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderTissue } from "./tissue.ts";
import { writeLargeTiff, writeTissueSlide } from "./write-slide.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-synthesis-"));
});
afterAll(() => rm(folder, { recursive: true }));

const settings = { seed: 7, atypical: 0.6, width: 700, height: 530 };

describe("a tissue slide", () => {
  it("is a pyramidal TIFF of 0.5 microns a pixel, with its mask beside it and no scratch left", async () => {
    const [path, maskPath] = [join(folder, "slide.tif"), join(folder, "mask.tif")];
    await writeTissueSlide(path, maskPath, settings);
    expect((await readdir(folder)).toSorted()).toEqual(["mask.tif", "slide.tif"]);

    const { width, height, pages, density } = await sharp(path).metadata();
    expect([width, height, pages]).toEqual([700, 530, 3]);
    // 20,000 pixels a centimetre.
    expect(density).toBeCloseTo(20_000 * 2.54, -1);

    const expected = renderTissue({ x: 0, y: 0, width: 700, height: 530 }, settings);
    const mask = await sharp(maskPath).toColourspace("b-w").raw().toBuffer();
    expect(mask.equals(expected.mask)).toBe(true);
    const rgb = await sharp(path).raw().toBuffer();
    const error = rgb.reduce((sum, value, i) => sum + Math.abs(value - (expected.rgb[i] ?? 0)), 0) / rgb.length;
    expect(error).toBeLessThan(6);
  });

  it("may be large: one rendered square, repeated", async () => {
    const path = join(folder, "large.tif");
    await writeLargeTiff(path, { ...settings, width: 2100, height: 300 });
    const at = (left: number): Promise<Buffer> =>
      sharp(path).extract({ left, top: 64, width: 32, height: 32 }).raw().toBuffer();
    expect((await sharp(path).metadata()).width).toBe(2100);
    expect((await at(2048)).equals(await at(0))).toBe(true);
  });
});

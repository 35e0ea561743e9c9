import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { levelIndex } from "../../geometry/units.ts";
import { openFileSource } from "../../io/file-source.ts";
import type { SlideImage } from "../image.ts";
import { openImage } from "./open-image.ts";

/** Real images that are too large or not ours to commit: `shared/data` beside the repository. */
const folder = fileURLToPath(new URL("../../../../../../shared/data/", import.meta.url));
const present = existsSync(folder);
if (!present) console.warn(`The tests with real images are skipped: there is no folder ${folder}.`);

async function open(name: string): Promise<SlideImage> {
  return openImage(name, await openFileSource(folder + name));
}

/** Largest difference between an image read by us and by libvips. */
async function differenceOf(name: string): Promise<number> {
  await using image = await open(name);
  const { width, height } = image.levels[0];
  const pixels = await image.read(levelIndex(0), { x: 0, y: 0, width, height });
  const wide = pixels.samples === "uint16";
  const reference = await sharp(folder + name, { ignoreIcc: true })
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace(wide ? "rgb16" : "srgb")
    .raw({ depth: wide ? "ushort" : "uchar" })
    .toBuffer();
  const values = wide ? new Uint16Array(Uint8Array.from(reference).buffer) : reference;
  expect(values.length).toBe(pixels.data.length);
  let most = 0;
  for (const [index, value] of values.entries()) most = Math.max(most, Math.abs(value - (pixels.data[index] ?? 0)));
  return most;
}

describe.skipIf(!present)("a real image", () => {
  it.each([
    ["slides/cmu-1-small-region.svs", "Aperio SVS", 1],
    ["slides/kidney-48-5.tif", "striped TIFF", 1],
    ["odd-files/small.svs", "Aperio SVS", 1],
    ["odd-files/boxes.tiff", "pyramidal tiled TIFF", 4],
    ["odd-files/grey10kx5k.tif", "striped TIFF", 1],
    ["odd-files/test_orient6.tif", "pyramidal tiled TIFF", 3],
    ["odd-files/test_RGB_16.png", "PNG", 1],
    ["odd-files/test_LA_8.png", "PNG", 1],
    ["odd-files/test_RGBA_8.png", "PNG", 1],
    ["bccd/JPEGImages/BloodImage_00000.jpg", "JPEG", 1],
  ])("has the colours that libvips gives it: %s", async (name, format, levels) => {
    await using image = await open(name);
    expect(image.format).toBe(format);
    expect(image.levels).toHaveLength(levels);
    expect(await differenceOf(name)).toBeLessThanOrEqual(1);
  });

  it("of Aperio says its resolution, and offers neither label nor macro nor thumbnail", async () => {
    await using image = await open("slides/cmu-1-small-region.svs");
    expect(image.micronsPerPixel).toBe(0.499);
    expect(image.levels).toEqual([{ index: 0, width: 2220, height: 2967, downsample: 1 }]);
  });

  it("of JPEG 2000 is refused with the name of what reads it", async () => {
    await expect(open("slides/tcga-cr-7395-jpeg2000.svs")).rejects.toMatchObject({
      code: "image-unsupported",
      message: expect.stringMatching(/JPEG 2000 \(TIFF compression 33005\).*OpenSlide/u),
    });
  });

  it("that can't be opened is refused at once", async () => {
    await expect(open("odd-files/unopenable.tiff")).rejects.toMatchObject({
      code: "image-unsupported",
      message: expect.stringContaining("52479"),
    });
  });

  it("with an unreadable tile opens, and names the tile when it is read", async () => {
    await using image = await open("odd-files/unreadable.svs");
    await expect(image.read(levelIndex(0), { x: 0, y: 0, width: 16, height: 16 })).rejects.toMatchObject({
      code: "image-corrupt",
      message: expect.stringContaining("tile at column 0, row 0 of level 0"),
    });
  });
});

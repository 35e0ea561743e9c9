import { describe, expect, it } from "vitest";
import { levelIndex } from "../../geometry/units.ts";
import type { Pixels } from "../image.ts";
import { cropPixels } from "../images/crop-pixels.ts";
import { tiledImage } from "./tiled-image.ts";
import type { TiledImage } from "./tiled-image.ts";

const level = { index: levelIndex(0), width: 5, height: 4, downsample: 1 };
const whole: Pixels = { ...level, samples: "uint8", data: Uint8Array.from({ length: 60 }, (_, index) => index) };

/** The sample of the pixel, or of the nearest one inside. */
function nearest(x: number, y: number, channel: number): number {
  return (Math.min(y, 3) * 5 + Math.min(x, 4)) * 3 + channel;
}

function slideOf(pixels: Pixels): TiledImage {
  return tiledImage({
    uri: "memory",
    etag: "",
    size: 0,
    format: "pixels",
    samples: pixels.samples,
    levels: [level],
    read: (_, rectangle) => Promise.resolve(cropPixels(pixels, rectangle)),
    [Symbol.asyncDispose]: async () => undefined,
  });
}

describe("reading beyond an image's right and bottom edge", () => {
  it.each([
    { x: 0, y: 0, width: 5, height: 4 },
    { x: 1, y: 1, width: 2, height: 2 },
    { x: 2, y: 0, width: 6, height: 4 },
    { x: 0, y: 3, width: 5, height: 4 },
    { x: 4, y: 3, width: 3, height: 2 },
  ])("repeats its last column and row: $x, $y, $width x $height", async (rectangle) => {
    const { pixels } = await slideOf(whole).readTile({ level: level.index, rectangle });
    const { width, height, data } = pixels;
    expect([width, height]).toEqual([rectangle.width, rectangle.height]);
    const expected = Array.from({ length: width * height * 3 }, (_, index) => {
      const pixel = Math.floor(index / 3);
      return nearest(rectangle.x + (pixel % width), rectangle.y + Math.floor(pixel / width), index % 3);
    });
    expect(Array.from(data)).toEqual(expected);
  });

  it("does so in 16 bits", async () => {
    const wide: Pixels = { ...level, samples: "uint16", data: Uint16Array.from(whole.data, (value) => value * 257) };
    const rectangle = { x: 4, y: 3, width: 2, height: 2 };
    const { data } = (await slideOf(wide).readTile({ level: level.index, rectangle })).pixels;
    expect(Array.from(data)).toEqual([57, 58, 59, 57, 58, 59, 57, 58, 59, 57, 58, 59].map((value) => value * 257));
  });
});

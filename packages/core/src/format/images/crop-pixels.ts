import type { Rectangle } from "../../geometry/rectangle.ts";
import { levelIndex } from "../../geometry/units.ts";
import type { Pixels } from "../image.ts";
import { newPixels } from "./new-pixels.ts";
import { checkRectangle } from "./check-rectangle.ts";

/** A part of pixels in memory, copied. @throws {RangeError} when it does not lie inside. */
export function cropPixels(pixels: Pixels, area: Rectangle): Pixels {
  const { width, height } = pixels;
  checkRectangle([{ index: levelIndex(0), width, height, downsample: 1 }], levelIndex(0), area);
  const part = newPixels(area, pixels.samples);
  for (let row = 0; row < area.height; row += 1) {
    const from = ((area.y + row) * width + area.x) * 3;
    part.data.set(pixels.data.subarray(from, from + area.width * 3), row * area.width * 3);
  }
  return part;
}

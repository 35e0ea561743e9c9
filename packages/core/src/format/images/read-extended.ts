import type { Rectangle } from "../../geometry/rectangle.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import type { ImageLevel, Pixels, SlideImage } from "../image.ts";
import { newPixels } from "./new-pixels.ts";

/**
 * The pixels of a rectangle that may reach beyond the level's right and bottom edge: there its last column and row are repeated. It begins inside.
 * @throws As `SlideImage.read` does.
 */
export async function readExtended(
  slide: SlideImage,
  level: ImageLevel,
  rectangle: Rectangle,
  options: Abortable,
): Promise<Pixels> {
  const width = Math.min(rectangle.width, level.width - rectangle.x);
  const height = Math.min(rectangle.height, level.height - rectangle.y);
  const pixels = await slide.read(level.index, { ...rectangle, width, height }, options);
  if (width === rectangle.width && height === rectangle.height) return pixels;
  const extended = newPixels(rectangle, pixels.samples);
  const line = rectangle.width * 3;
  for (let row = 0; row < height; row += 1) {
    const start = row * line;
    extended.data.set(pixels.data.subarray(row * width * 3, (row + 1) * width * 3), start);
    const last = start + (width - 1) * 3;
    for (let at = last + 3; at < start + line; at += 3) extended.data.copyWithin(at, last, last + 3);
  }
  for (let row = height; row < rectangle.height; row += 1) {
    extended.data.copyWithin(row * line, (height - 1) * line, height * line);
  }
  giveBuffers([pixels]);
  return extended;
}

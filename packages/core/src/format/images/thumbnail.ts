import type { Abortable } from "../../io/byte-source.ts";
import type { Pixels, SlideImage } from "../image.ts";
import { loadSharp } from "../sharp.ts";

/** A level may be this many times larger than the thumbnail: reading more than that costs more than it tells. */
const maxReduction = 4;

/**
 * The whole image in small, 8 bits, its longer side at most `maxSide` pixels; `undefined` when no level is small enough to
 * be read for that.
 */
export async function thumbnail(
  image: SlideImage,
  maxSide: number,
  options: Abortable = {},
): Promise<Pixels | undefined> {
  const sideOf = (level: { readonly width: number; readonly height: number }): number =>
    Math.max(level.width, level.height);
  const fitting = image.levels.filter((level) => sideOf(level) <= maxSide * maxReduction);
  // The smallest level that need not be enlarged, else the largest that there is.
  const level = fitting.findLast((candidate) => sideOf(candidate) >= maxSide) ?? fitting[0];
  if (level === undefined) return undefined;
  const { width, height } = level;
  const pixels = await image.read(level.index, { x: 0, y: 0, width, height }, options);
  const sharp = await loadSharp();
  const { data, info } = await sharp(pixels.data, { raw: { width, height, channels: 3 } })
    .resize({ width: maxSide, height: maxSide, fit: "inside", withoutEnlargement: true })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, samples: "uint8", data: Uint8Array.from(data) };
}

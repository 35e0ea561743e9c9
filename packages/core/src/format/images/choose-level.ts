import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { LevelIndex } from "../../geometry/units.ts";
import type { SlideImage } from "../image.ts";

/**
 * The level whose resolution is nearest to the wanted one, by ratio.
 * @param micronsPerPixel wanted size of a pixel, > 0
 * @throws {SlidelightError} `usage` when the image does not say its resolution.
 */
export function levelForResolution(image: SlideImage, micronsPerPixel: number): LevelIndex {
  if (!(micronsPerPixel > 0)) throw new RangeError(`A resolution is a positive number, got ${micronsPerPixel}.`);
  const base = image.micronsPerPixel;
  if (base === undefined) {
    throw new SlidelightError(
      "usage",
      `Choosing the level of ${image.uri} for ${micronsPerPixel} µm a pixel failed: the file does not say its resolution. ` +
        "Choose a level by its number instead.",
    );
  }
  const distance = (downsample: number): number => Math.abs(Math.log((base * downsample) / micronsPerPixel));
  const [first, ...others] = image.levels;
  return others.reduce((best, level) => (distance(level.downsample) < distance(best.downsample) ? level : best), first)
    .index;
}

import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteCount, engineChoiceKeys, engineChoiceOptions, engineChoiceSchema } from "@slidelight/contract";
import type { OptionTable } from "@slidelight/contract";
import { defaultImageLimits } from "@slidelight/core";
import type { ImageLimits } from "@slidelight/core";
import { z } from "zod";

/** How a worker computes; nothing here changes a result. */
export const engineOptions = {
  ...engineChoiceOptions,
  memory: {
    flag: "--memory <bytes>",
    text: "what a tile may take in the engine, such as 2GB; all that are kept ready, twice that (a quarter of the machine's, 1.5GiB to 8GiB)",
  },
  scratch: { flag: "--scratch <folder>", text: "for files in progress (the system's temporary folder)" },
  maxPixels: { flag: "--max-pixels <n>", text: "of an image that is decoded whole (512e6)" },
  maxLevelPixels: { flag: "--max-level-pixels <n>", text: "of a level of a tiled image (40e9)" },
  maxTilePixels: { flag: "--max-tile-pixels <n>", text: "of one compressed tile (67e6)" },
} as const satisfies OptionTable;

export const engineKeys = [
  ...engineChoiceKeys,
  "memory",
  "scratch",
  "maxPixels",
  "maxLevelPixels",
  "maxTilePixels",
] as const;

const pixels = (fallback: number) => {
  const expected = "expected a number of pixels above 0";
  return z.coerce.number(expected).positive(expected).default(fallback);
};

export const engineSchema = engineChoiceSchema.extend({
  memory: byteCount.exactOptional(),
  scratch: z.string().default(() => join(tmpdir(), "slidelight")),
  maxPixels: pixels(defaultImageLimits.wholeImagePixels),
  maxLevelPixels: pixels(defaultImageLimits.levelPixels),
  maxTilePixels: pixels(defaultImageLimits.tilePixels),
});

export type EngineConfig = z.output<typeof engineSchema>;

export function imageLimits({ maxPixels, maxLevelPixels, maxTilePixels }: EngineConfig): ImageLimits {
  return { wholeImagePixels: maxPixels, levelPixels: maxLevelPixels, tilePixels: maxTilePixels };
}

import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ImageLimits } from "./image.ts";

/** How users of the commands call each limit. */
const options: { readonly [L in keyof ImageLimits]: string } = {
  wholeImagePixels: "--max-pixels",
  levelPixels: "--max-level-pixels",
  tilePixels: "--max-tile-pixels",
};

interface Excess {
  readonly limit: keyof ImageLimits;
  readonly limits: ImageLimits;
  /** "a level of 8x9 has 72 pixels" */
  readonly what: string;
  /** What else helps: a sentence. */
  readonly advice?: string;
}

/** The error to throw for an image that would cost more than it may. */
export function tooLarge(uri: string, { limit, limits, what, advice }: Excess): SlidelightError {
  const otherwise = advice === undefined ? "" : ` ${advice}`;
  return new SlidelightError(
    "image-too-large",
    `Opening ${uri} failed: ${what}; the limit is ${limits[limit]} pixels.${otherwise} If you trust the file, raise the limit: ${options[limit]} of slidelight explain and worker (\`${limit}\` of the library's limits).`,
    { detail: { limit: limits[limit] } },
  );
}

import type { Size } from "../../geometry/rectangle.ts";
import type { Pixels } from "../image.ts";

/** Black pixels, to be filled. */
export function emptyPixels({ width, height }: Size, samples: Pixels["samples"]): Pixels {
  return samples === "uint16"
    ? { width, height, samples, data: new Uint16Array(width * height * 3) }
    : { width, height, samples, data: new Uint8Array(width * height * 3) };
}

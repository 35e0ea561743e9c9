import type { Size } from "../../geometry/rectangle.ts";
import { takeBuffer } from "../../io/used-buffers.ts";
import type { Pixels } from "../image.ts";

/** Pixels to be filled, all of them: what they hold is not known. */
export function newPixels({ width, height }: Size, samples: Pixels["samples"]): Pixels {
  const length = width * height * 3;
  return samples === "uint16"
    ? { width, height, samples, data: new Uint16Array(takeBuffer(length * 2)) }
    : { width, height, samples, data: new Uint8Array(takeBuffer(length)) };
}

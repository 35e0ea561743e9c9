import sharp from "sharp";
import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import type { Pixels } from "../image.ts";

/** An image made small while its tiles go by. */
export interface ThumbnailCanvas {
  /** Adds a tile's core, cut out of what was read for it; `input` is the rectangle of `pixels`. Each core once. */
  add(core: Rectangle, input: Rectangle, pixels: Pixels): Promise<void>;
  /** Interleaved 8-bit RGB. Cores that were not added stay white, as glass is. */
  finish(): { readonly width: number; readonly height: number; readonly data: Uint8Array };
}

export interface ThumbnailOptions {
  /** The longest side that is wanted; the canvas is less than twice as large, unless the alignment forbids it. */
  readonly maxSide: number;
  /** What all cores' corners are multiples of. */
  readonly alignment: number;
}

/** Shrinks by a power of two that divides the alignment, so that every canvas pixel has one tile. */
export function openThumbnail(size: Size, { maxSide, alignment }: ThumbnailOptions): ThumbnailCanvas {
  let factor = 1;
  while (Math.max(size.width, size.height) / factor > maxSide && alignment % (factor * 2) === 0) factor *= 2;
  const width = Math.ceil(size.width / factor);
  const height = Math.ceil(size.height / factor);
  const data = new Uint8Array(width * height * 3).fill(255);
  return {
    add: async (core, input, pixels) => {
      const area = {
        left: core.x - input.x,
        top: core.y - input.y,
        width: Math.min(core.width, input.x + input.width - core.x),
        height: Math.min(core.height, input.y + input.height - core.y),
      };
      const raw = { width: pixels.width, height: pixels.height, channels: 3 } as const;
      const target = { width: Math.ceil(core.width / factor), height: Math.ceil(core.height / factor) };
      const small = await sharp(pixels.data, { raw, limitInputPixels: false })
        .extract(area)
        .resize(target.width, target.height, { fit: "fill", kernel: "linear" })
        .toColourspace("srgb")
        .raw({ depth: "uchar" })
        .toBuffer();
      const left = Math.floor(core.x / factor);
      const top = Math.floor(core.y / factor);
      for (let row = 0; row < target.height; row += 1) {
        const from = row * target.width * 3;
        data.set(small.subarray(from, from + target.width * 3), ((top + row) * width + left) * 3);
      }
    },
    finish: () => ({ width, height, data }),
  };
}

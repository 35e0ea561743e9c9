import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import type { Pixels } from "../image.ts";
import { loadSharp } from "../sharp.ts";

/** The picture that previews are made of: the image, small. */
export interface Thumbnail {
  readonly width: number;
  readonly height: number;
  /** Interleaved 8-bit RGB. */
  readonly data: Uint8Array;
}

/** A tile's pixels in the picture. */
export interface ThumbnailPart extends Thumbnail {
  readonly left: number;
  readonly top: number;
}

export interface ThumbnailOptions {
  /** The longest side that is wanted; the picture is less than twice as large, unless the alignment forbids it. */
  readonly maxSide: number;
  /** What all cores' corners are multiples of. */
  readonly alignment: number;
}

/** How an image is made small while its tiles go by: by a power of two, so that every pixel of the picture has one tile. */
export interface ThumbnailScale {
  readonly factor: number;
  readonly width: number;
  readonly height: number;
}

export function thumbnailScale(size: Size, { maxSide, alignment }: ThumbnailOptions): ThumbnailScale {
  let factor = 1;
  while (Math.max(size.width, size.height) / factor > maxSide && alignment % (factor * 2) === 0) factor *= 2;
  return { factor, width: Math.ceil(size.width / factor), height: Math.ceil(size.height / factor) };
}

/**
 * A tile's core, made small.
 * @param tile.input the rectangle of `pixels`: what was read for the tile
 */
export async function shrinkTile(
  { core, input, pixels }: { readonly core: Rectangle; readonly input: Rectangle; readonly pixels: Pixels },
  { factor }: ThumbnailScale,
): Promise<ThumbnailPart> {
  const area = {
    left: core.x - input.x,
    top: core.y - input.y,
    width: Math.min(core.width, input.x + input.width - core.x),
    height: Math.min(core.height, input.y + input.height - core.y),
  };
  const raw = { width: pixels.width, height: pixels.height, channels: 3 } as const;
  const target = { width: Math.ceil(core.width / factor), height: Math.ceil(core.height / factor) };
  const sharp = await loadSharp();
  const data = await sharp(pixels.data, { raw, limitInputPixels: false })
    .extract(area)
    .resize(target.width, target.height, { fit: "fill", kernel: "linear" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer();
  return { left: Math.floor(core.x / factor), top: Math.floor(core.y / factor), ...target, data };
}

/** Puts the parts together. Where there is none it stays white, as glass is. */
export function drawThumbnail({ width, height }: ThumbnailScale, parts: Iterable<ThumbnailPart>): Thumbnail {
  const data = new Uint8Array(width * height * 3).fill(255);
  for (const part of parts) {
    for (let row = 0; row < part.height; row += 1) {
      const from = row * part.width * 3;
      data.set(part.data.subarray(from, from + part.width * 3), ((part.top + row) * width + part.left) * 3);
    }
  }
  return { width, height, data };
}

import type { Rectangle } from "../../geometry/rectangle.ts";
import type { LevelIndex } from "../../geometry/units.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { observed } from "../../io/observed.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import type { Pixels, SlideImage } from "../image.ts";
import { newPixels } from "../images/new-pixels.ts";
import { openImage } from "../images/open-image.ts";
import type { OpenImageOptions } from "../images/open-image.ts";
import { shrinkTile } from "../output/thumbnail.ts";
import type { ThumbnailPart, ThumbnailScale } from "../output/thumbnail.ts";

export interface TileRequest {
  readonly level: LevelIndex;
  /** Begins within the level, and may reach beyond its right and bottom edge. */
  readonly rectangle: Rectangle;
  /** The part of the picture of previews that is made of the tile; none where absent. */
  readonly thumbnail?: { readonly core: Rectangle; readonly scale: ThumbnailScale } | undefined;
}

/** A tile as it is read for the engine. */
export interface ReadTile {
  readonly pixels: Pixels;
  readonly thumbnail?: ThumbnailPart;
}

/** An image that is read by tiles. */
export interface TiledImage extends SlideImage {
  /**
   * The pixels of a rectangle; beyond the level's edge its last column and row are repeated.
   * @throws As `read` does.
   */
  readTile(request: TileRequest, options?: Abortable): Promise<ReadTile>;
}

export interface OpenTiledOptions extends OpenImageOptions {
  /** Told how many bytes of the file were read: with each read, or by a thread with each tile. */
  readonly onRead?: (bytes: number) => void;
}

/** Opens an image that is read on the caller's thread. */
export async function openTiled(
  uri: string,
  source: ByteSource,
  { onRead, ...options }: OpenTiledOptions = {},
): Promise<TiledImage> {
  return tiledImage(await openImage(uri, onRead === undefined ? source : observed(source, onRead), options));
}

export function tiledImage(image: SlideImage): TiledImage {
  return { ...image, readTile: (request, options = {}) => readTile(image, request, options) };
}

async function readTile(
  image: SlideImage,
  { level, rectangle, thumbnail }: TileRequest,
  options: Abortable,
): Promise<ReadTile> {
  const pixels = await readExtended(image, level, rectangle, options);
  if (thumbnail === undefined) return { pixels };
  const { core, scale } = thumbnail;
  return { pixels, thumbnail: await shrinkTile({ core, input: rectangle, pixels }, scale) };
}

async function readExtended(
  image: SlideImage,
  index: LevelIndex,
  rectangle: Rectangle,
  options: Abortable,
): Promise<Pixels> {
  const level = image.levels[index];
  if (level === undefined) throw new RangeError(`Reading ${image.uri}: there is no level ${index}.`);
  const width = Math.min(rectangle.width, level.width - rectangle.x);
  const height = Math.min(rectangle.height, level.height - rectangle.y);
  const pixels = await image.read(index, { ...rectangle, width, height }, options);
  if (width === rectangle.width && height === rectangle.height) return pixels;
  const extended = newPixels(rectangle, pixels.samples);
  const line = rectangle.width * 3;
  for (let row = 0; row < height; row += 1) {
    const start = row * line;
    extended.data.set(pixels.data.subarray(row * width * 3, (row + 1) * width * 3), start);
    repeatPixel(extended.data, start + (width - 1) * 3, start + line);
  }
  for (let row = height; row < rectangle.height; row += 1) {
    extended.data.copyWithin(row * line, (height - 1) * line, height * line);
  }
  giveBuffers([pixels]);
  return extended;
}

/** Fills what lies between a pixel and `end` with it: each step copies all that the ones before made. */
function repeatPixel(data: Pixels["data"], start: number, end: number): void {
  for (let filled = 3; start + filled < end; filled *= 2) {
    data.copyWithin(start + filled, start, Math.min(start + filled, end - filled));
  }
}

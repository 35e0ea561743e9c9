import type { Rectangle } from "../../geometry/rectangle.ts";
import { levelIndex } from "../../geometry/units.ts";
import { allOrFirstFailure } from "../../io/all-or-first-failure.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { cached } from "../../io/cached.ts";
import { coalesced } from "../../io/coalesced.ts";
import type { ImageLevel, ImageLimits, Pixels, SlideImage, UnreadablePart } from "../image.ts";
import { readTiff } from "../tiff/directories.ts";
import { decodedBytes, samplesOf } from "../tiff/page.ts";
import type { Page } from "../tiff/page.ts";
import { readPyramid } from "../tiff/pyramid.ts";
import { openSegmentReader } from "../tiff/segment-reader.ts";
import type { SegmentReader } from "../tiff/segment-reader.ts";
import { tolerantReader } from "../tiff/tolerant-reader.ts";
import { newPixels } from "./new-pixels.ts";
import { checkRectangle } from "./check-rectangle.ts";
import { orient, orientedSize, storedRectangle } from "./orientation.ts";

/** Decoded tiles to keep: neighbouring regions share those of their halos. */
const tileCacheBytes = 67_108_864;
/** Strips run across the image, so that all regions of a row of regions share them. */
const stripCacheBytes = 402_653_184;
/** Decoded bytes of the segments that one read has under way. */
const batchBytes = 67_108_864;

/** A TIFF-family image: its directories are read now, its pixels by ranges when they are asked for. */
export async function openTiffImage(
  source: ByteSource,
  options: Abortable & {
    readonly uri: string;
    readonly limits: ImageLimits;
    readonly tolerate?: (bad: UnreadablePart) => void;
  },
): Promise<SlideImage> {
  const { uri, limits, tolerate, signal } = options;
  const joined = coalesced(source);
  const file = await readTiff(cached(joined), { signal });
  const { pages, format, micronsPerPixel } = await readPyramid(file, { limits, signal });
  const [base] = pages;
  const { orientation } = base;
  const strict = await openSegmentReader(file, {
    pages,
    source: joined,
    cacheBytes: base.tiled ? tileCacheBytes : stripCacheBytes,
    signal,
  });
  const reader = tolerate === undefined ? strict : tolerantReader(strict, { pages, tolerate });
  const samples = samplesOf(base);
  const levelOf = (page: Page, index: number): ImageLevel => ({
    index: levelIndex(index),
    ...orientedSize(page, orientation),
    downsample: index === 0 ? 1 : (base.width / page.width + base.height / page.height) / 2,
  });
  const levels: readonly [ImageLevel, ...ImageLevel[]] = [
    levelOf(base, 0),
    ...pages.slice(1).map((page, index) => levelOf(page, index + 1)),
  ];
  return {
    uri,
    etag: source.etag,
    size: source.size,
    format,
    samples,
    levels,
    ...(micronsPerPixel !== undefined && { micronsPerPixel }),
    read: async (level, rectangle, readOptions = {}) => {
      readOptions.signal?.throwIfAborted();
      checkRectangle(levels, level, rectangle);
      const page = pages[level] ?? base;
      const stored = storedRectangle(rectangle, { orientation, stored: page });
      const pixels = newPixels(stored, samples);
      await fill(pixels, { reader, page, level, area: stored, signal: readOptions.signal });
      return orient(pixels, orientation);
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

interface Filling extends Abortable {
  readonly reader: SegmentReader;
  readonly page: Page;
  readonly level: number;
  readonly area: Rectangle;
}

/** Copies every segment that meets the area, row by row, as it is decoded. */
async function fill(pixels: Pixels, { reader, page, level, area, signal }: Filling): Promise<void> {
  const { segmentWidth, segmentHeight, columns } = page;
  const indices: number[] = [];
  for (let row = Math.floor(area.y / segmentHeight); row * segmentHeight < area.y + area.height; row += 1) {
    for (let column = Math.floor(area.x / segmentWidth); column * segmentWidth < area.x + area.width; column += 1) {
      indices.push(row * columns + column);
    }
  }
  const batch = Math.max(1, Math.floor(batchBytes / decodedBytes(page)));
  for (let start = 0; start < indices.length; start += batch) {
    signal?.throwIfAborted();
    const together = indices.slice(start, start + batch);
    const segments = reader.read({ level, indices: together }, { signal });
    await allOrFirstFailure(
      together.map(async (index, position) => {
        const block = await segments[position];
        const at = { x: (index % columns) * segmentWidth, y: Math.floor(index / columns) * segmentHeight };
        copyRows(pixels, { block: block?.data, at, area, segment: { width: segmentWidth, height: segmentHeight } });
      }),
    );
  }
}

function copyRows(
  pixels: Pixels,
  copy: {
    /** White when absent. */
    readonly block: Uint8Array | Uint16Array | undefined;
    readonly at: { readonly x: number; readonly y: number };
    readonly area: Rectangle;
    readonly segment: { readonly width: number; readonly height: number };
  },
): void {
  const { block, at, area, segment } = copy;
  const left = Math.max(at.x, area.x);
  const right = Math.min(at.x + segment.width, area.x + area.width);
  const bottom = Math.min(at.y + segment.height, area.y + area.height);
  const white = pixels.samples === "uint16" ? 65_535 : 255;
  for (let y = Math.max(at.y, area.y); y < bottom; y += 1) {
    const to = ((y - area.y) * area.width + left - area.x) * 3;
    const from = ((y - at.y) * segment.width + left - at.x) * 3;
    const length = (right - left) * 3;
    if (block === undefined) pixels.data.fill(white, to, to + length);
    else pixels.data.set(block.subarray(from, from + length), to);
  }
}

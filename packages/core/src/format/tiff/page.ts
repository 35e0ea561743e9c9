import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteRange } from "../../io/byte-source.ts";
import type { ImageLimits } from "../image.ts";
import { tooLarge } from "../too-large.ts";
import { corrupt, tagBytes, tagValues } from "./directories.ts";
import type { Directory, TiffFile } from "./directories.ts";
import { readableCompressions, tags, unreadableCompressions } from "./tags.ts";

/** What a page's directory says, without where its pixels lie. */
export interface PageHeader {
  readonly directory: Directory;
  readonly width: number;
  readonly height: number;
  readonly tiled: boolean;
  /** Size of a tile or strip. */
  readonly segmentWidth: number;
  readonly segmentHeight: number;
  readonly bitsPerSample: readonly number[];
  readonly sampleFormat: number;
  readonly samplesPerPixel: number;
  readonly compression: number;
  readonly photometric: number;
  readonly planar: boolean;
  /** Whether the page is one uncompressed strip, of which any rows can be read: segments are runs of them. */
  readonly divided: boolean;
  readonly subfileType: number;
  readonly orientation: number;
  readonly extraSamples: readonly number[];
}

/** Values that are read of tags with one for each sample; pages with more than four samples are refused. */
const maxSamples = 16;
/** A million pixels a side in tiles of 256; more is a fault or an attack. */
const maxSegments = 16_777_216;
/** All tables that a JPEG stream can have fit into a twentieth of it. */
const maxJpegTableBytes = 65_536;

/** Rows of a single uncompressed strip are read in runs of about this many pixels. */
const dividedStripPixels = 1_048_576;

/** Where the compressed segments of a page lie; a segment of a planar page has one range for each sample. */
export interface Page extends PageHeader {
  readonly columns: number;
  readonly rows: number;
  /** Ranges of segment `index` (row-major); a length of 0 means blank. */
  ranges(index: number): readonly ByteRange[];
  /** Abbreviated JPEG streams share these tables. */
  readonly jpegTables?: Uint8Array;
}

export async function readPageHeader(
  file: TiffFile,
  options: Abortable & { readonly directory: Directory },
): Promise<PageHeader> {
  const { directory } = options;
  const values = (tag: number): Promise<readonly number[]> => tagValues(file, { ...options, tag, most: maxSamples });
  const value = async (tag: number, fallback: number): Promise<number> =>
    (await tagValues(file, { ...options, tag, most: 1 }))[0] ?? fallback;
  const width = await value(tags.imageWidth, 0);
  const height = await value(tags.imageLength, 0);
  const tiled = directory.entries.has(tags.tileWidth);
  const samplesPerPixel = await value(tags.samplesPerPixel, 1);
  const bits = await values(tags.bitsPerSample);
  const compression = await value(tags.compression, 1);
  const planar = (await value(tags.planarConfiguration, 1)) === 2 && samplesPerPixel > 1;
  const rowsPerStrip = Math.max(1, Math.min(height, await value(tags.rowsPerStrip, height)));
  const divisible = !tiled && compression === 1 && !planar && rowsPerStrip === height;
  return {
    directory,
    width,
    height,
    tiled,
    segmentWidth: tiled ? await value(tags.tileWidth, 0) : width,
    segmentHeight: tiled
      ? await value(tags.tileLength, 0)
      : divisible
        ? Math.max(1, Math.min(height, Math.floor(dividedStripPixels / width)))
        : rowsPerStrip,
    divided: divisible,
    bitsPerSample: bits.length === 0 ? [1] : bits,
    sampleFormat: await value(tags.sampleFormat, 1),
    samplesPerPixel,
    compression,
    photometric: await value(tags.photometric, 2),
    planar,
    subfileType: await value(tags.newSubfileType, 0),
    orientation: await value(tags.orientation, 1),
    extraSamples: await values(tags.extraSamples),
  };
}

/**
 * Refuses pages that can't be read or would cost too much.
 * @throws {SlidelightError} `image-corrupt`, `image-too-large`, `image-unsupported`.
 */
export function checkPage(file: TiffFile, page: PageHeader, limits: ImageLimits): void {
  const { source } = file;
  const { width, height, segmentWidth, segmentHeight } = page;
  if (width < 1 || height < 1) throw corrupt(source, `its size is ${width}x${height}`);
  if (segmentWidth < 1 || segmentHeight < 1)
    throw corrupt(source, `its tiles are ${segmentWidth}x${segmentHeight} pixels`);
  checkSamples(source, page);
  const { uri } = source;
  const levelPixels = width * height;
  if (levelPixels > limits.levelPixels) {
    const what = `a level of ${width}x${height} has ${levelPixels} pixels`;
    throw tooLarge(uri, { limit: "levelPixels", limits, what });
  }
  const tilePixels = segmentWidth * segmentHeight;
  if (tilePixels > limits.tilePixels) {
    const what = `a ${page.tiled ? "tile" : "strip"} of ${segmentWidth}x${segmentHeight} has ${tilePixels} pixels`;
    throw tooLarge(uri, { limit: "tilePixels", limits, what });
  }
}

function checkSamples(source: { readonly uri: string }, page: PageHeader): void {
  const { compression, photometric, samplesPerPixel, sampleFormat, bitsPerSample } = page;
  const unsupported = (what: string, advice: string): SlidelightError =>
    new SlidelightError("image-unsupported", `Opening ${source.uri} failed: ${what}. ${advice}`, {
      detail: { compression, photometric, samplesPerPixel },
    });
  if (!readableCompressions.has(compression)) {
    const known = unreadableCompressions[compression];
    throw unsupported(
      `its pixels are compressed with ${known?.name ?? "an unknown method"} (TIFF compression ${compression}), which is not supported`,
      `${known?.reader ?? "The program that wrote it"} reads it: convert it to a tiled TIFF with JPEG or deflate compression.`,
    );
  }
  const convert = "Convert it to an 8- or 16-bit grey or RGB TIFF.";
  const bits = bitsPerSample[0] ?? 1;
  const integer = sampleFormat === 1 || sampleFormat === 4;
  const depthFits = bits === 8 || bits === 16 || (samplesPerPixel === 1 && (bits === 1 || bits === 2 || bits === 4));
  if (!integer || !depthFits || bitsPerSample.some((other) => other !== bits)) {
    throw unsupported(
      `its samples are of ${bits} bits, format ${sampleFormat}; expected unsigned integers of 8 or 16 bits`,
      convert,
    );
  }
  const colours: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 3, 3: 1, 6: 3 };
  const expected = colours[photometric];
  if (expected === undefined) {
    throw unsupported(
      `its colour space is TIFF photometric ${photometric}; expected grey, RGB, palette or YCbCr`,
      convert,
    );
  }
  if (samplesPerPixel < expected || samplesPerPixel > expected + 1) {
    throw unsupported(
      `it has ${samplesPerPixel} samples a pixel; expected ${expected} or, with alpha, ${expected + 1}`,
      convert,
    );
  }
}

/** Adds where the segments lie to a header that passed `checkPage`. */
export async function readPage(file: TiffFile, options: Abortable & { readonly header: PageHeader }): Promise<Page> {
  const { header, signal } = options;
  const { directory, tiled } = header;
  const columns = Math.ceil(header.width / header.segmentWidth);
  const rows = Math.ceil(header.height / header.segmentHeight);
  const planes = header.planar ? header.samplesPerPixel : 1;
  const expected = header.divided ? 1 : columns * rows * planes;
  if (expected > maxSegments) {
    throw corrupt(
      file.source,
      `a level of ${header.width}x${header.height} would have ${expected} ${tiled ? "tiles" : "strips"}, expected at most ${maxSegments}`,
    );
  }
  const values = (tag: number): Promise<readonly number[]> =>
    tagValues(file, { directory, tag, most: expected, signal });
  const offsets = await values(tiled ? tags.tileOffsets : tags.stripOffsets);
  const counts = await values(tiled ? tags.tileByteCounts : tags.stripByteCounts);
  if (offsets.length < expected || counts.length < expected) {
    throw corrupt(
      file.source,
      `a level of ${header.width}x${header.height} needs ${expected} ${tiled ? "tiles" : "strips"}, but it lists ` +
        `${offsets.length} offsets and ${counts.length} lengths`,
    );
  }
  const jpegTables = await tagBytes(file, { directory, tag: tags.jpegTables, most: maxJpegTableBytes, signal });
  return {
    ...header,
    columns,
    rows,
    ranges: (index) => {
      if (header.divided)
        return [rowsOf(header, { index, strip: { offset: offsets[0] ?? 0, length: counts[0] ?? 0 } })];
      return Array.from({ length: planes }, (_, plane) => {
        const at = plane * columns * rows + index;
        return { offset: offsets[at] ?? 0, length: counts[at] ?? 0 };
      });
    },
    ...(jpegTables && { jpegTables }),
  };
}

/** What the samples of a page are decoded to. */
export function samplesOf({ bitsPerSample }: PageHeader): "uint8" | "uint16" {
  return bitsPerSample[0] === 16 ? "uint16" : "uint8";
}

/** Of a whole segment, decoded to RGB. */
export function decodedBytes(page: PageHeader): number {
  return page.segmentWidth * page.segmentHeight * 3 * (samplesOf(page) === "uint16" ? 2 : 1);
}

/** The bytes of run `index` of a strip's rows. */
function rowsOf(
  header: PageHeader,
  { index, strip }: { readonly index: number; readonly strip: ByteRange },
): ByteRange {
  if (strip.length === 0) return strip;
  const rowBytes = Math.ceil((header.width * header.samplesPerPixel * (header.bitsPerSample[0] ?? 8)) / 8);
  const row = index * header.segmentHeight;
  const rows = Math.min(header.segmentHeight, header.height - row);
  return { offset: strip.offset + row * rowBytes, length: rows * rowBytes };
}

import { mkdtemp, open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metadata } from "sharp";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { levelIndex } from "../../geometry/units.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { fileError } from "../../io/io-error.ts";
import type { ImageLevel, ImageLimits, Pixels, SlideImage } from "../image.ts";
import { loadSharp } from "../sharp.ts";
import { tooLarge } from "../too-large.ts";
import { newPixels } from "./new-pixels.ts";
import { checkRectangle } from "./check-rectangle.ts";
import { decodeOptions, decodeRgb } from "./decode.ts";
import type { RgbBlock } from "./decode.ts";
import { orientedSize } from "./orientation.ts";

/** Larger images rest in a scratch file: 64 megapixels are 192 MB. */
const memoryPixels = 67_108_864;
/** libvips' own format: a header of this many bytes, then the pixels. */
const vipsHeaderBytes = 64;

/** Decoded pixels of a whole image, row by row. */
interface Rows extends AsyncDisposable {
  fill(pixels: Pixels, area: Rectangle): Promise<void>;
}

/** A PNG, JPEG or WebP: formats without regions, so that it is decoded once when it is opened. */
export async function openWholeImage(
  source: ByteSource,
  options: Abortable & {
    readonly uri: string;
    readonly limits: ImageLimits;
    readonly format: string;
    /** Folder for the pixels of a large image; the system's folder for temporary files when absent. */
    readonly scratch?: string;
  },
): Promise<SlideImage> {
  const { uri, limits, format, signal } = options;
  // A compressed file is hardly larger than its pixels in 16 bits with alpha.
  const maxFileBytes = Math.max(1_048_576, limits.wholeImagePixels * 8);
  const excess = (what: string): SlidelightError =>
    tooLarge(uri, { limit: "wholeImagePixels", limits, what, advice: "Convert it to a tiled TIFF." });
  if (source.size > maxFileBytes) {
    throw excess(`it must be decoded whole and has ${source.size} bytes, more than 8 for each pixel that it may have`);
  }
  const bytes = await source.read({ offset: 0, length: source.size }, { signal });
  const metadata = await metadataOf(bytes, uri);
  const stored = { width: metadata.width, height: metadata.height };
  const pixels = stored.width * stored.height;
  if (pixels > limits.wholeImagePixels) {
    throw excess(`it must be decoded whole and has ${stored.width}x${stored.height} = ${pixels} pixels`);
  }
  const { width, height } = orientedSize(stored, metadata.orientation ?? 1);
  const samples = metadata.depth === "ushort" ? "uint16" : "uint8";
  const alpha = metadata.hasAlpha ? "compose" : "none";
  const sharp = await loadSharp();
  let rows: Rows;
  try {
    rows =
      pixels <= memoryPixels
        ? rowsInMemory(await decodeRgb(sharp(bytes, decodeOptions).autoOrient(), { samples, alpha }))
        : await rowsInFile(bytes, { width, samples, alpha, scratch: options.scratch ?? tmpdir() });
  } catch (error) {
    throw decodeFailure(error, uri);
  }
  signal?.throwIfAborted();
  const levels: readonly [ImageLevel] = [{ index: levelIndex(0), width, height, downsample: 1 }];
  return {
    uri,
    etag: source.etag,
    size: source.size,
    format,
    samples,
    levels,
    read: async (level, rectangle, readOptions = {}) => {
      readOptions.signal?.throwIfAborted();
      checkRectangle(levels, level, rectangle);
      const region = newPixels(rectangle, samples);
      await rows.fill(region, rectangle);
      return region;
    },
    [Symbol.asyncDispose]: async () => {
      await rows[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

async function metadataOf(bytes: Uint8Array, uri: string): Promise<Metadata> {
  const sharp = await loadSharp();
  try {
    return await sharp(bytes, decodeOptions).metadata();
  } catch (error) {
    throw decodeFailure(error, uri);
  }
}

function decodeFailure(error: unknown, uri: string): SlidelightError {
  if (error instanceof SlidelightError) return error;
  const cause = messageOf(error);
  const incomplete = /premature|truncat|unexpected end|end of|not enough|read error|corrupt header|unable to parse/iu;
  return incomplete.test(cause)
    ? new SlidelightError(
        "image-truncated",
        `Decoding ${uri} failed: its data end too early (${cause}). The file is incomplete: copy it again from its origin.`,
        { cause: error },
      )
    : new SlidelightError(
        "image-corrupt",
        `Decoding ${uri} failed: ${cause}. The file is damaged: copy it again from its origin.`,
        { cause: error },
      );
}

function rowsInMemory({ width, data }: RgbBlock): Rows {
  return {
    fill: (pixels, area) => {
      for (let row = 0; row < area.height; row += 1) {
        const from = ((area.y + row) * width + area.x) * 3;
        pixels.data.set(data.subarray(from, from + area.width * 3), row * area.width * 3);
      }
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Decodes into a file with little memory; the folder goes when the image is closed. */
async function rowsInFile(
  bytes: Uint8Array,
  options: {
    readonly width: number;
    readonly samples: Pixels["samples"];
    readonly alpha: "compose" | "none";
    readonly scratch: string;
  },
): Promise<Rows> {
  const { width, samples, alpha } = options;
  const sharp = await loadSharp();
  const folder = await mkdtemp(join(options.scratch, "slidelight-")).catch((error: unknown) => {
    throw fileError(error, { operation: "Making a folder in", path: options.scratch, otherwise: "output-unwritable" });
  });
  const path = join(folder, "pixels.v");
  let file: FileHandle;
  try {
    let pipeline = sharp(bytes, decodeOptions).autoOrient();
    if (alpha === "compose") pipeline = pipeline.flatten({ background: "#ffffff" });
    await pipeline.toColourspace(samples === "uint16" ? "rgb16" : "srgb").toFile(path);
    file = await open(path, "r");
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    fill: async (pixels, area) => {
      const { data } = pixels;
      const sampleBytes = data.BYTES_PER_ELEMENT;
      const target = new Uint8Array(data.buffer);
      const rowBytes = area.width * 3 * sampleBytes;
      for (let row = 0; row < area.height; row += 1) {
        const position = vipsHeaderBytes + ((area.y + row) * width + area.x) * 3 * sampleBytes;
        const { bytesRead } = await file.read(target, row * rowBytes, rowBytes, position);
        if (bytesRead < rowBytes) throw endsEarly(path, { expected: position + rowBytes, got: position + bytesRead });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await file.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function endsEarly(
  path: string,
  { expected, got }: { readonly expected: number; readonly got: number },
): SlidelightError {
  return new SlidelightError(
    "output-unwritable",
    `Reading decoded pixels from the scratch file "${path}": expected ${expected} bytes, got ${got}. Is there space left in the scratch folder?`,
  );
}

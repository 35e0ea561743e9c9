import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { defaultImageLimits } from "../image.ts";
import type { ImageLimits, SlideImage, UnreadablePart } from "../image.ts";
import { openTiffImage } from "./tiff-image.ts";
import { openWholeImage } from "./whole-image.ts";

type Kind =
  | { readonly read: "tiff" }
  | { readonly read: "whole"; readonly format: string }
  | { readonly read: "never"; readonly format: string; readonly reader: string };

interface Signature {
  readonly offset: number;
  /** Latin-1. */
  readonly text: string;
  readonly kind: Kind;
}

const tiff: Kind = { read: "tiff" };
const refused = (format: string, reader: string): Kind => ({ read: "never", format, reader });

/** First bytes of the formats that are read, and of those that are known but not read. */
const signatures: readonly Signature[] = [
  { offset: 0, text: "II*\0", kind: tiff },
  { offset: 0, text: "MM\0*", kind: tiff },
  { offset: 0, text: "II+\0", kind: tiff },
  { offset: 0, text: "MM\0+", kind: tiff },
  { offset: 0, text: "\x89PNG\r\n\x1a\n", kind: { read: "whole", format: "PNG" } },
  { offset: 0, text: "\xff\xd8\xff", kind: { read: "whole", format: "JPEG" } },
  { offset: 8, text: "WEBP", kind: { read: "whole", format: "WebP" } },
  { offset: 0, text: "GIF8", kind: refused("GIF", "Any image editor") },
  { offset: 0, text: "BM", kind: refused("BMP", "Any image editor") },
  { offset: 128, text: "DICM", kind: refused("DICOM", "OpenSlide or wsidicom") },
  { offset: 0, text: "\0\0\0\x0cjP  ", kind: refused("JPEG 2000", "OpenSlide or GDAL") },
  { offset: 0, text: "\xff\x4f\xff\x51", kind: refused("JPEG 2000", "OpenSlide or GDAL") },
  { offset: 4, text: "ftypavif", kind: refused("AVIF", "Any recent image editor") },
  { offset: 4, text: "ftyphei", kind: refused("HEIF", "Any recent image editor") },
  { offset: 0, text: "\xff\x0a", kind: refused("JPEG XL", "djxl") },
  { offset: 0, text: "ZISRAWFILE", kind: refused("Zeiss CZI", "QuPath or Bio-Formats") },
];

const sniffedBytes = 132;

export interface OpenImageOptions extends Abortable {
  readonly limits?: ImageLimits;
  /** Folder for the pixels of a large image that must be decoded whole; the system's when absent. */
  readonly scratch?: string;
  /**
   * Told once of each tile or strip of a TIFF that is damaged or missing, in the order in which they are met; their pixels are
   * white. Absent: reading them fails. Formats that are decoded whole fail either way.
   */
  readonly tolerate?: (bad: UnreadablePart) => void;
}

/**
 * Opens an image of any supported format: TIFF, BigTIFF and Aperio SVS by ranges; PNG, JPEG and WebP decoded once. The
 * image owns the source from here on, also when opening fails.
 * @param uri the name to print
 * @throws {SlidelightError} `image-not-an-image`, `image-truncated`, `image-corrupt`, `image-unsupported`,
 * `image-too-large`, `store-*`.
 */
export async function openImage(uri: string, source: ByteSource, options: OpenImageOptions = {}): Promise<SlideImage> {
  try {
    return await openAs(uri, source, options);
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

async function openAs(uri: string, source: ByteSource, options: OpenImageOptions): Promise<SlideImage> {
  const { limits = defaultImageLimits, scratch, tolerate, signal } = options;
  if (source.size === 0) {
    throw new SlidelightError("image-not-an-image", `Opening ${uri} failed: the file is empty (0 bytes).`);
  }
  const start = await source.read({ offset: 0, length: Math.min(sniffedBytes, source.size) }, { signal });
  const text = Buffer.from(start).toString("latin1");
  const kind = signatures.find((signature) => text.startsWith(signature.text, signature.offset))?.kind;
  if (kind === undefined) {
    throw new SlidelightError(
      "image-not-an-image",
      `Opening ${uri} failed: it does not start like a TIFF, Aperio SVS, PNG, JPEG or WebP. Check that it is an image.`,
    );
  }
  if (kind.read === "tiff") {
    return openTiffImage(source, { uri, limits, signal, ...(tolerate !== undefined && { tolerate }) });
  }
  if (kind.read === "whole") {
    return openWholeImage(source, {
      uri,
      limits,
      signal,
      format: kind.format,
      ...(scratch !== undefined && { scratch }),
    });
  }
  throw new SlidelightError(
    "image-unsupported",
    `Opening ${uri} failed: ${kind.format} is not supported. ${kind.reader} reads it: convert it to a tiled TIFF or a PNG.`,
  );
}

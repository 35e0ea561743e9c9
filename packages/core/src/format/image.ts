import type { Rectangle } from "../geometry/rectangle.ts";
import type { LevelIndex } from "../geometry/units.ts";
import type { Abortable } from "../io/byte-source.ts";

/** Interleaved RGB, row-major, `width * height * 3` samples; alpha already composed over white, grey already repeated. */
export type Pixels = { readonly width: number; readonly height: number } & (
  | { readonly samples: "uint8"; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly samples: "uint16"; readonly data: Uint16Array<ArrayBuffer> }
);

/** One resolution of an image. */
export interface ImageLevel {
  readonly index: LevelIndex;
  readonly width: number;
  readonly height: number;
  /** Level-0 pixels for each pixel of this level (1 for level 0). */
  readonly downsample: number;
}

/** An open image of any size: read by regions, never held whole unless its format forces it (PNG, JPEG, WebP). */
export interface SlideImage extends AsyncDisposable {
  readonly uri: string;
  readonly etag: string;
  readonly size: number;
  /** For people: "Aperio SVS", "tiled BigTIFF", "PNG"… */
  readonly format: string;
  readonly samples: Pixels["samples"];
  /** Full resolution first. Orientation is already applied. */
  readonly levels: readonly [ImageLevel, ...ImageLevel[]];
  /** Of level 0; absent when the file does not say. */
  readonly micronsPerPixel?: number;
  /**
   * The pixels of a rectangle that lies within the level.
   * @throws {SlidelightError} `image-corrupt`/`image-truncated` naming the tile's position, `image-changed`, `store-*`.
   */
  read(level: LevelIndex, rectangle: Rectangle, options?: Abortable): Promise<Pixels>;
}

/** Faults of a part of a file, as opposed to those of the store that it comes from. */
export type UnreadableCode = "image-corrupt" | "image-truncated";

/** A tile or strip that cannot be decoded, or whose bytes the file lacks. */
export interface UnreadablePart {
  readonly level: LevelIndex;
  /** Pixels of its level that are white instead. */
  readonly rectangle: Rectangle;
  readonly code: UnreadableCode;
  readonly message: string;
}

/** What an image may cost before it is refused (`image-too-large`). */
export interface ImageLimits {
  /** Pixels of a file that must be decoded whole (PNG, JPEG, WebP, TIFF strips with odd layouts). */
  readonly wholeImagePixels: number;
  /** Pixels of one level of a tiled image. */
  readonly levelPixels: number;
  /** Pixels of one compressed tile or strip. */
  readonly tilePixels: number;
}

export const defaultImageLimits: ImageLimits = {
  wholeImagePixels: 512_000_000,
  levelPixels: 40_000_000_000,
  tilePixels: 67_108_864,
};

import { isRetryable, openImage, openSource, SlidelightError } from "@slidelight/core";
import type { Abortable, ImageLimits, Pixels, StoreSettings } from "@slidelight/core";

/** Images that are larger are left out: a classifier's images are parts of slides, not slides. */
const limits: ImageLimits = { wholeImagePixels: 64e6, levelPixels: 64e6, tilePixels: 64e6 };

export interface DecodedImage {
  readonly pixels: Pixels;
  readonly micronsPerPixel?: number;
}

/** Why an image cannot be used. */
export interface Unreadable {
  readonly code: string;
  readonly message: string;
}

/** All pixels of an image. @throws {SlidelightError} `image-*`, `store-*`. */
export async function decodeImage(uri: string, { signal, ...store }: StoreSettings & Abortable): Promise<DecodedImage> {
  await using image = await openImage(uri, await openSource(uri, { ...store, signal }), { limits, signal });
  const [{ index, width, height }] = image.levels;
  const pixels = await image.read(index, { x: 0, y: 0, width, height }, { signal });
  const { micronsPerPixel } = image;
  return { pixels, ...(micronsPerPixel === undefined ? {} : { micronsPerPixel }) };
}

/** The fault of an image. What may be there the next time is no fault of the image: it is thrown on, as is what is none. */
export function unreadable(error: unknown): Unreadable {
  if (!(error instanceof SlidelightError) || isRetryable(error.code) || !error.code.startsWith("image-")) throw error;
  return { code: error.code, message: error.message };
}

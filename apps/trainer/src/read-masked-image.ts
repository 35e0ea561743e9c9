import type { Abortable, Pixels, StoreSettings } from "@slidelight/core";
import { decodeImage, unreadable } from "./decode-image.ts";
import type { Unreadable } from "./decode-image.ts";
import type { MaskedEntry } from "./gather-masks.ts";

export interface MaskedImage {
  readonly entry: MaskedEntry;
  readonly pixels: Pixels;
  /** One byte for each pixel: 1 on the evidence, where the mask is not black, else 0. */
  readonly mask?: Uint8Array;
}

export interface SkippedEntry extends Unreadable {
  readonly entry: MaskedEntry;
}

/** An image with its mask; or why it can't be used, and then neither is. */
export async function readMaskedImage(
  entry: MaskedEntry,
  options: StoreSettings & Abortable,
): Promise<MaskedImage | SkippedEntry> {
  try {
    options.signal?.throwIfAborted();
    const { pixels } = await decodeImage(entry.uri, options);
    if (entry.mask === undefined) return { entry, pixels };
    const { width, height, data } = (await decodeImage(entry.mask.uri, options)).pixels;
    if (width !== pixels.width || height !== pixels.height) {
      const message = `Reading the mask ${entry.mask.name} of ${entry.name}: expected ${pixels.width} x ${pixels.height} pixels, as the image has, got ${width} x ${height}.`;
      return { entry, code: "evaluation-data", message };
    }
    const mask = Uint8Array.from({ length: width * height }, (_, index) =>
      data.subarray(3 * index, 3 * index + 3).some((value) => value > 0) ? 1 : 0,
    );
    return { entry, pixels, mask };
  } catch (error) {
    return { entry, ...unreadable(error) };
  }
}

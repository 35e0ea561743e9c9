import { createHash } from "node:crypto";
import { readAhead } from "@slidelight/core";
import type { Abortable, Pixels, StoreSettings } from "@slidelight/core";
import { decodeImage, unreadable } from "./decode-image.ts";
import type { DecodedImage, Unreadable } from "./decode-image.ts";
import type { LabelledEntry } from "./gather-images.ts";

/** Images that are decoded at a time while all of them are looked at. */
const decodedAtOnce = 8;

/** An image that can be read. */
export interface CheckedImage extends LabelledEntry {
  readonly width: number;
  readonly height: number;
  readonly micronsPerPixel?: number;
  /** SHA-256 of its pixels. */
  readonly digest: string;
}

/** An image that cannot be read, and why. */
export interface SkippedImage extends LabelledEntry, Unreadable {}

/** Decoded pixels, kept up to so many bytes: those that came first. */
export interface ImageReader {
  read(entry: LabelledEntry, options?: Abortable): Promise<Pixels>;
  /** Every image once: those that can be read, and those that cannot. */
  check(entries: readonly LabelledEntry[], options: CheckOptions): Promise<CheckResult>;
}

export interface CheckOptions extends Abortable {
  progress(done: number): void;
}

export interface CheckResult {
  readonly images: readonly CheckedImage[];
  readonly skipped: readonly SkippedImage[];
}

export function openImageReader(settings: StoreSettings & { readonly cacheBytes: number }): ImageReader {
  const { cacheBytes, ...store } = settings;
  const kept = new Map<string, Pixels>();
  let bytes = 0;
  const decode = async (uri: string, { signal }: Abortable): Promise<DecodedImage> => {
    const known = kept.get(uri);
    if (known !== undefined) return { pixels: known };
    const decoded = await decodeImage(uri, { ...store, signal });
    const { byteLength } = decoded.pixels.data;
    if (bytes + byteLength <= cacheBytes) {
      bytes += byteLength;
      kept.set(uri, decoded.pixels);
    }
    return decoded;
  };
  return {
    read: async ({ uri }, options = {}) => (await decode(uri, options)).pixels,
    check: async (entries, { progress, signal }) => {
      const images: CheckedImage[] = [];
      const skipped: SkippedImage[] = [];
      const looks = readAhead(entries, {
        depth: decodedAtOnce,
        start: async (entry): Promise<CheckedImage | SkippedImage> => {
          try {
            signal?.throwIfAborted();
            const { pixels, micronsPerPixel } = await decode(entry.uri, { signal });
            const { width, height, data } = pixels;
            const digest = createHash("sha256").update(data).digest("hex");
            return { ...entry, width, height, digest, ...(micronsPerPixel === undefined ? {} : { micronsPerPixel }) };
          } catch (error) {
            return { ...entry, ...unreadable(error) };
          }
        },
      });
      for await (const found of looks) {
        if ("code" in found) skipped.push(found);
        else images.push(found);
        progress(images.length + skipped.length);
      }
      return { images, skipped };
    },
  };
}

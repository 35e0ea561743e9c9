import type { MessagePort } from "node:worker_threads";
import type { Fault } from "../../errors/fault.ts";
import type { ByteRange, ByteSource } from "../../io/byte-source.ts";
import type { ImageLimits, SlideImage, UnreadablePart } from "../image.ts";
import type { ReadTile, TileRequest } from "./tiled-image.ts";

/** What a thread is told of an image that it shall open; all else goes through the port. */
export interface OpenInThread {
  readonly port: MessagePort;
  readonly uri: string;
  readonly source: Pick<ByteSource, "uri" | "size" | "etag">;
  /** Of a local file: the thread reads it itself. It wants the bytes of all else. */
  readonly descriptor?: number;
  readonly limits?: ImageLimits;
  readonly scratch?: string;
  /** Whether what is damaged is told and white. */
  readonly tolerates: boolean;
}

/** To the thread. Reads have numbers of their own, and so have the bytes that it wants for them. */
export type ToThread =
  | {
      readonly kind: "read";
      readonly id: number;
      readonly tile: TileRequest;
      /** For the pixels, where some was used before. */
      readonly memory?: ArrayBuffer;
    }
  | { readonly kind: "withdraw"; readonly id: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "no-bytes"; readonly id: number; readonly fault: Fault }
  | { readonly kind: "close" };

/** What is known of an image once it is open. */
export type OpenedImage = Pick<SlideImage, "format" | "samples" | "levels" | "micronsPerPixel">;

/** From the thread. */
export type FromThread =
  | { readonly kind: "opened"; readonly image: OpenedImage }
  | { readonly kind: "refused"; readonly fault: Fault }
  | { readonly kind: "tile"; readonly id: number; readonly tile: ReadTile }
  | { readonly kind: "no-tile"; readonly id: number; readonly fault: Fault }
  /** How many bytes of the file it has read since it last said so. */
  | { readonly kind: "bytes-read"; readonly bytes: number }
  | { readonly kind: "want"; readonly id: number; readonly range: ByteRange }
  | { readonly kind: "unwant"; readonly id: number }
  | { readonly kind: "bad"; readonly part: UnreadablePart }
  | { readonly kind: "closed" };

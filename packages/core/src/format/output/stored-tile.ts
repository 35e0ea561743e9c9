import { closeSync, openSync, readSync } from "node:fs";
import type { MapSamples, MapTile } from "../../explain/tile-program.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";

/** A tile of a map that rests in a file until the display scale is known. */
export interface StoredTile {
  readonly path: string;
  readonly core: Rectangle;
  /** In bytes, where the samples are. */
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  readonly samples: MapSamples;
}

/** Reads a tile's samples, at once: for worker threads. */
export function readStoredTile(tile: StoredTile): MapTile {
  const { low, high } = tile;
  const data = readStoredRows(tile, { first: 0, count: tile.core.height });
  return data instanceof Uint16Array ? { low, high, samples: "uint16", data } : { low, high, samples: "float32", data };
}

/** Reads some of a tile's rows of samples, at once: for worker threads. */
export function readStoredRows(
  { path, core, offset, samples }: StoredTile,
  { first, count }: { readonly first: number; readonly count: number },
): Uint16Array | Float32Array {
  const data = samples === "uint16" ? new Uint16Array(count * core.width) : new Float32Array(count * core.width);
  const start = offset + first * core.width * data.BYTES_PER_ELEMENT;
  const descriptor = openSync(path, "r");
  try {
    let done = 0;
    while (done < data.byteLength) {
      const got = readSync(descriptor, data, done, data.byteLength - done, start + done);
      if (got === 0) throw new RangeError(`the tile's file "${path}" ends too early`);
      done += got;
    }
  } finally {
    closeSync(descriptor);
  }
  return data;
}

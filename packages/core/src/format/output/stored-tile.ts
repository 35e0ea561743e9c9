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
export function readStoredTile({ path, core, offset, low, high, samples }: StoredTile): MapTile {
  const count = core.width * core.height;
  const descriptor = openSync(path, "r");
  try {
    const read = (into: Uint16Array | Float32Array): void => {
      let done = 0;
      while (done < into.byteLength) {
        const got = readSync(descriptor, into, done, into.byteLength - done, offset + done);
        if (got === 0) throw new RangeError(`the tile's file "${path}" ends too early`);
        done += got;
      }
    };
    if (samples === "uint16") {
      const data = new Uint16Array(count);
      read(data);
      return { low, high, samples, data };
    }
    const data = new Float32Array(count);
    read(data);
    return { low, high, samples, data };
  } finally {
    closeSync(descriptor);
  }
}

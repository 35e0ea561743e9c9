import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import { createPyramid, tiffTile } from "../tiff/pyramid-writer.ts";
import { readStoredRows } from "./stored-tile.ts";
import type { StoredTile } from "./stored-tile.ts";

/** The values that the bytes 0 and 255 stand for. */
export interface Scale {
  readonly min: number;
  readonly max: number;
}

export interface AssembleMap {
  readonly kind: "map";
  readonly size: Size;
  readonly tiles: readonly StoredTile[];
  /** What of the tiles is not part of the map: it is as where no tile was computed. */
  readonly leftOut: readonly Rectangle[];
  readonly scale: Scale;
  /** Of the `map.tif` to write. */
  readonly path: string;
}

/**
 * Writes `map.tif`: one 8-bit band, tiled, pyramidal BigTIFF (deflate), byte = round((value - min) / (max - min) * 255).
 * Where no tile was computed, the byte of the value 0. Loops over pixels: runs in a worker thread. Memory: some rows.
 */
export async function assembleMap({ size, tiles, leftOut, scale, path }: AssembleMap): Promise<void> {
  await using pyramid = createPyramid(path, size);
  const toByte = byteOf(scale);
  const background = toByte(0);
  const tables = new Map<StoredTile, Uint8Array>();
  for (let top = 0; top < size.height; top += tiffTile) {
    const bottom = Math.min(top + tiffTile, size.height);
    const rows = new Uint8Array((bottom - top) * size.width).fill(background);
    for (const tile of tiles) {
      const { core } = tile;
      if (core.y >= bottom || core.y + core.height <= top) continue;
      const from = Math.max(core.y, top);
      const values = readStoredRows(tile, {
        first: from - core.y,
        count: Math.min(core.y + core.height, bottom) - from,
      });
      const place = { at: (from - top) * size.width + core.x, width: core.width, rowLength: size.width };
      if (values instanceof Float32Array) {
        putFloats(rows, values, { ...place, toByte });
        continue;
      }
      const table = tables.get(tile) ?? tableOf(tile, toByte);
      putSamples(rows, values, { ...place, table });
      // Its last rows may be in the next row of the file's tiles.
      if (core.y + core.height > bottom) tables.set(tile, table);
      else tables.delete(tile);
    }
    for (const { x, y, width, height } of leftOut) {
      const [from, to] = [Math.max(y, top), Math.min(y + height, bottom)];
      for (let row = from; row < to; row += 1) {
        const start = (row - top) * size.width + x;
        rows.fill(background, start, start + width);
      }
    }
    await pyramid.addRows(rows);
  }
  await pyramid.finish();
}

/** Value to byte; a scale of one single value gives 0 there. */
function byteOf({ min, max }: Scale): (value: number) => number {
  const factor = max > min ? 255 / (max - min) : 0;
  return (value) => Math.min(255, Math.max(0, Math.round((value - min) * factor)));
}

/** The byte of each of a tile's 65,536 samples. */
function tableOf({ low, high }: StoredTile, toByte: (value: number) => number): Uint8Array {
  const step = (high - low) / 65535;
  const table = new Uint8Array(65536);
  // A loop: `Uint8Array.from` with a function takes twenty times as long.
  for (let sample = 0; sample < table.length; sample += 1) table[sample] = toByte(low + sample * step);
  return table;
}

interface Place {
  /** Index of the first byte. */
  readonly at: number;
  /** Of the values' rows. */
  readonly width: number;
  /** Of the bytes' rows. */
  readonly rowLength: number;
}

function putFloats(
  rows: Uint8Array,
  values: Float32Array,
  { at, width, rowLength, toByte }: Place & { readonly toByte: (value: number) => number },
): void {
  for (let from = 0, start = at; from < values.length; from += width, start += rowLength) {
    for (let x = 0; x < width; x += 1) rows[start + x] = toByte(values[from + x] ?? 0);
  }
}

function putSamples(
  rows: Uint8Array,
  samples: Uint16Array,
  { at, width, rowLength, table }: Place & { readonly table: Uint8Array },
): void {
  for (let from = 0, start = at; from < samples.length; from += width, start += rowLength) {
    for (let x = 0; x < width; x += 1) rows[start + x] = table[samples[from + x] ?? 0] ?? 0;
  }
}

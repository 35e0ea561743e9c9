import { closeSync, ftruncateSync } from "node:fs";
import { rm } from "node:fs/promises";
import sharp from "sharp";
import type { Size } from "../../geometry/rectangle.ts";
import type { MapTile } from "../../explain/tile-program.ts";
import { readStoredTile } from "./stored-tile.ts";
import type { StoredTile } from "./stored-tile.ts";
import { createVipsFile, vipsHeaderBytes } from "./vips-file.ts";
import { writeAt } from "./write-fully.ts";

/** The values that the bytes 0 and 255 stand for. */
export interface Scale {
  readonly min: number;
  readonly max: number;
}

export interface AssembleMap {
  readonly kind: "map";
  readonly size: Size;
  readonly tiles: readonly StoredTile[];
  readonly scale: Scale;
  /** Of the `map.tif` to write. */
  readonly path: string;
}

/** Side of the tiles inside the TIFF. */
const tiffTile = 256;

/**
 * Writes `map.tif`: one 8-bit band, tiled, pyramidal BigTIFF (deflate), byte = round((value - min) / (max - min) * 255).
 * Where no tile was computed, the byte of the value 0. Loops over pixels: runs in a worker thread.
 */
export async function assembleMap({ size, tiles, scale, path }: AssembleMap): Promise<void> {
  const scratch = `${path}.v`;
  const descriptor = createVipsFile(scratch, size, 1);
  try {
    ftruncateSync(descriptor, vipsHeaderBytes + size.width * size.height);
    const background = byteOf(scale)(0);
    const covered = tiles.reduce((sum, { core }) => sum + core.width * core.height, 0);
    if (background !== 0 && covered < size.width * size.height) fill(descriptor, size, background);
    for (const tile of tiles) {
      const bytes = quantise(readStoredTile(tile), scale);
      const { x, y, width, height } = tile.core;
      for (let row = 0; row < height; row += 1) {
        writeAt(
          descriptor,
          bytes.subarray(row * width, (row + 1) * width),
          vipsHeaderBytes + (y + row) * size.width + x,
        );
      }
    }
  } finally {
    closeSync(descriptor);
  }
  await sharp(scratch, { limitInputPixels: false, unlimited: true })
    .toColourspace("b-w")
    .tiff({
      compression: "deflate",
      predictor: "horizontal",
      tile: true,
      tileWidth: tiffTile,
      tileHeight: tiffTile,
      pyramid: true,
      bigtiff: true,
    })
    .toFile(path);
  await rm(scratch);
}

function fill(descriptor: number, size: Size, value: number): void {
  const row = new Uint8Array(size.width).fill(value);
  for (let y = 0; y < size.height; y += 1) writeAt(descriptor, row, vipsHeaderBytes + y * size.width);
}

/** Value to byte; a scale of one single value gives 0 there. */
function byteOf({ min, max }: Scale): (value: number) => number {
  const factor = max > min ? 255 / (max - min) : 0;
  return (value) => Math.min(255, Math.max(0, Math.round((value - min) * factor)));
}

function quantise(tile: MapTile, scale: Scale): Uint8Array {
  const toByte = byteOf(scale);
  const bytes = new Uint8Array(tile.data.length);
  if (tile.samples === "float32") {
    // A loop: `Uint8Array.from` with a function takes twenty times as long.
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = toByte(tile.data[i] ?? 0);
    return bytes;
  }
  const step = (tile.high - tile.low) / 65535;
  const table = Uint8Array.from({ length: 65536 }, (_, sample) => toByte(tile.low + sample * step));
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = table[tile.data[i] ?? 0] ?? 0;
  return bytes;
}

import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import { float16Bits } from "../../graph/float16.ts";
import { readStoredTile } from "./stored-tile.ts";
import type { StoredTile } from "./stored-tile.ts";
import { writeAt } from "../write-fully.ts";

export interface WriteZarr {
  readonly kind: "zarr";
  readonly size: Size;
  readonly tiles: readonly StoredTile[];
  /** What of the tiles is not part of the map: zeros. */
  readonly leftOut: readonly Rectangle[];
  readonly type: "float16" | "float32";
  /** Of the `map.zarr` to write. */
  readonly folder: string;
  /** Of an image pixel, when it is known. */
  readonly micronsPerPixel: number | undefined;
}

const chunk = 1024;
const floatBytes = 4;

/**
 * Writes OME-Zarr 0.5 (Zarr v3): the unscaled values, axes y and x, level `0` of full size, then halves by 2x2 means
 * until one chunk holds all. Plain little-endian chunks; one that is all zeros is not written (fill value 0). Loops over
 * pixels: runs in a worker thread. Memory: two rows and one chunk.
 */
export async function writeZarr(request: WriteZarr): Promise<void> {
  const { folder, type } = request;
  mkdirSync(folder, { recursive: true });
  let size = request.size;
  let plane = `${folder}.0.plane`;
  writePlane(plane, request);
  const levels: Size[] = [];
  for (;;) {
    writeLevel(join(folder, String(levels.length)), plane, size, type);
    levels.push(size);
    if (size.width <= chunk && size.height <= chunk) break;
    const next = `${folder}.${levels.length}.plane`;
    const half = { width: Math.ceil(size.width / 2), height: Math.ceil(size.height / 2) };
    halve(plane, size, next, half);
    await rm(plane);
    [plane, size] = [next, half];
  }
  await rm(plane);
  writeFileSync(join(folder, "zarr.json"), JSON.stringify(groupMetadata(request, levels), undefined, 2));
}

/** All values row by row as float32; what no tile covers stays a hole of zeros. */
function writePlane(path: string, { size, tiles, leftOut }: WriteZarr): void {
  const descriptor = openSync(path, "w");
  try {
    ftruncateSync(descriptor, size.width * size.height * floatBytes);
    for (const tile of tiles) {
      const values = readStoredTile(tile);
      const step = values.samples === "uint16" ? (values.high - values.low) / 65535 : 0;
      const floats = values.samples === "float32" ? values.data : new Float32Array(values.data.length);
      if (values.samples === "uint16") {
        for (let i = 0; i < floats.length; i += 1) floats[i] = values.low + (values.data[i] ?? 0) * step;
      }
      const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
      const { x, y, width, height } = tile.core;
      for (let row = 0; row < height; row += 1) {
        writeAt(
          descriptor,
          bytes.subarray(row * width * floatBytes, (row + 1) * width * floatBytes),
          ((y + row) * size.width + x) * floatBytes,
        );
      }
    }
    for (const { x, y, width, height } of leftOut) {
      const zeros = new Uint8Array(width * floatBytes);
      for (let row = y; row < y + height; row += 1) writeAt(descriptor, zeros, (row * size.width + x) * floatBytes);
    }
  } finally {
    closeSync(descriptor);
  }
}

function writeLevel(folder: string, plane: string, size: Size, type: WriteZarr["type"]): void {
  const descriptor = openSync(plane, "r");
  try {
    for (let cy = 0; cy * chunk < size.height; cy += 1) {
      for (let cx = 0; cx * chunk < size.width; cx += 1) {
        const values = readChunk(descriptor, size, cx, cy);
        if (isZero(values)) continue;
        const path = join(folder, "c", String(cy), String(cx));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, type === "float32" ? values : halves(values));
      }
    }
  } finally {
    closeSync(descriptor);
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "zarr.json"), JSON.stringify(arrayMetadata(size, type), undefined, 2));
}

function isZero(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i += 1) if (values[i] !== 0) return false;
  return true;
}

function halves(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i += 1) bits[i] = float16Bits(values[i] ?? 0);
  return bits;
}

/** A chunk that sticks out over the image is filled up with zeros, as Zarr has it. */
function readChunk(descriptor: number, size: Size, cx: number, cy: number): Float32Array {
  const values = new Float32Array(chunk * chunk);
  const width = Math.min(chunk, size.width - cx * chunk);
  const height = Math.min(chunk, size.height - cy * chunk);
  for (let row = 0; row < height; row += 1) {
    const target = values.subarray(row * chunk, row * chunk + width);
    readSync(descriptor, target, 0, width * floatBytes, ((cy * chunk + row) * size.width + cx * chunk) * floatBytes);
  }
  return values;
}

/** Means of 2x2 values; at an odd edge, of those that are there. */
function halve(from: string, size: Size, to: string, half: Size): void {
  const source = openSync(from, "r");
  const target = openSync(to, "w");
  try {
    const rows = [new Float32Array(size.width), new Float32Array(size.width)] as const;
    const out = new Float32Array(half.width);
    const bytes = new Uint8Array(out.buffer);
    for (let y = 0; y < half.height; y += 1) {
      const second = Math.min(2 * y + 1, size.height - 1);
      readSync(source, rows[0], 0, size.width * floatBytes, 2 * y * size.width * floatBytes);
      readSync(source, rows[1], 0, size.width * floatBytes, second * size.width * floatBytes);
      for (let x = 0; x < half.width; x += 1) {
        const right = Math.min(2 * x + 1, size.width - 1);
        out[x] = ((rows[0][2 * x] ?? 0) + (rows[0][right] ?? 0) + (rows[1][2 * x] ?? 0) + (rows[1][right] ?? 0)) / 4;
      }
      writeAt(target, bytes, y * half.width * floatBytes);
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function arrayMetadata(size: Size, type: WriteZarr["type"]): unknown {
  return {
    zarr_format: 3,
    node_type: "array",
    shape: [size.height, size.width],
    data_type: type,
    chunk_grid: { name: "regular", configuration: { chunk_shape: [chunk, chunk] } },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: 0,
    codecs: [{ name: "bytes", configuration: { endian: "little" } }],
    dimension_names: ["y", "x"],
    attributes: {},
  };
}

function groupMetadata({ micronsPerPixel }: WriteZarr, levels: readonly Size[]): unknown {
  const unit = micronsPerPixel === undefined ? {} : { unit: "micrometer" };
  const pixel = micronsPerPixel ?? 1;
  return {
    zarr_format: 3,
    node_type: "group",
    attributes: {
      ome: {
        version: "0.5",
        multiscales: [
          {
            name: "map",
            axes: [
              { name: "y", type: "space", ...unit },
              { name: "x", type: "space", ...unit },
            ],
            datasets: levels.map((_, level) => ({
              path: String(level),
              coordinateTransformations: [{ type: "scale", scale: [pixel * 2 ** level, pixel * 2 ** level] }],
            })),
          },
        ],
      },
    },
  };
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Size } from "@slidelight/core";

/** Of a chunk of `map.zarr`. */
const chunkSide = 1024;

/** Level 0 of a raw map that is one chunk, row by row, from a result's folder. */
export async function mapValues(output: string, { width, height }: Size): Promise<Float32Array> {
  const chunk = await readFile(join(output, "map.zarr", "0", "c", "0", "0"));
  const values = new Float32Array(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.byteLength));
  const map = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    map.set(values.subarray(y * chunkSide, y * chunkSide + width), y * width);
  }
  return map;
}

/** The largest difference at this share of the pixels, over the range of the first. */
export function differenceOf(a: Float32Array, b: Float32Array, quantile = 0.999): number {
  const range = a.reduce((m, v) => Math.max(m, v), -Infinity) - a.reduce((m, v) => Math.min(m, v), Infinity);
  const sorted = a.map((value, index) => Math.abs(value - (b[index] ?? Number.NaN))).sort();
  return (sorted[Math.floor(quantile * (sorted.length - 1))] ?? Number.NaN) / range;
}

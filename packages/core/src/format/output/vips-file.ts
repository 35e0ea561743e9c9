import { openSync } from "node:fs";
import type { Size } from "../../geometry/rectangle.ts";
import { writeAt } from "./write-fully.ts";

/** Bytes before the pixels of a libvips `.v` file. */
export const vipsHeaderBytes = 64;

const greyInterpretation = 1;
const rgbInterpretation = 22;

/**
 * The header of a libvips `.v` file of 8-bit pixels: after it they follow row by row, so that a file that is written at
 * random offsets opens by its path, whatever its size.
 */
export function vipsHeader(size: Size, bands: 1 | 3): Uint8Array {
  const header = new DataView(new ArrayBuffer(vipsHeaderBytes));
  header.setUint32(0, 0xb6a6f208, false);
  header.setInt32(4, size.width, true);
  header.setInt32(8, size.height, true);
  header.setInt32(12, bands, true);
  header.setInt32(16, 8, true);
  header.setInt32(28, bands === 1 ? greyInterpretation : rgbInterpretation, true);
  header.setFloat32(32, 1, true);
  header.setFloat32(36, 1, true);
  return new Uint8Array(header.buffer);
}

/** Creates a `.v` file and returns its descriptor, to be closed by the caller. */
export function createVipsFile(path: string, size: Size, bands: 1 | 3): number {
  const descriptor = openSync(path, "w+");
  writeAt(descriptor, vipsHeader(size, bands), 0);
  return descriptor;
}

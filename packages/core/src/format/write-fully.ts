import { writeSync } from "node:fs";

export interface WritePlace {
  /** In the file, in bytes. */
  readonly position: number;
  /** Writes some of the bytes, and says how many. */
  readonly write: (bytes: Uint8Array, offset: number, length: number, position: number) => number;
}

/**
 * Writes all the bytes at a position. One `writeSync` may write fewer than it is given, without an error: where a disk is
 * full for a moment, a map would lose part of a row and nobody would know.
 * @throws {RangeError} when nothing more can be written; what the write throws.
 */
export function writeFully(bytes: Uint8Array, { position, write }: WritePlace): void {
  let done = 0;
  while (done < bytes.length) {
    const written = write(bytes, done, bytes.length - done, position + done);
    if (written <= 0) throw new RangeError(`the last ${bytes.length - done} bytes could not be written`);
    done += written;
  }
}

/** Writes all the bytes into a file at a position. */
export function writeAt(descriptor: number, bytes: Uint8Array, position: number): void {
  writeFully(bytes, {
    position,
    write: (from, offset, length, at) => writeSync(descriptor, from, offset, length, at),
  });
}

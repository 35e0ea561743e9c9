import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { constants, deflate } from "node:zlib";
import type { Size } from "../../geometry/rectangle.ts";
import { writeAt } from "../write-fully.ts";
import { encodeDirectory, header, headerBytes } from "./directory-writer.ts";
import { tags } from "./tags.ts";

/** Side of the tiles inside the file. */
export const tiffTile = 256;
/** Of the rows that are being compressed, of all levels together, with what zlib needs for each of their tiles. */
const underWayBytes = 536_870_912;
const zlibBytes = 5;
/** Rows of tiles that are ready to be compressed while the next is made, so that no core waits for it. */
const readyRows = 2;

/** Writes a pyramidal BigTIFF of one 8-bit band, from its rows. */
export interface PyramidWriter extends AsyncDisposable {
  /** Takes over the next rows, from above: 256, or what is left at the end. */
  addRows(rows: Uint8Array): Promise<void>;
  /** Writes what is left, and the directories. Without it the file can't be read. */
  finish(): Promise<void>;
}

interface Level extends Size {
  /** The rows that do not fill a row of tiles yet. */
  readonly pending: Uint8Array;
  pendingRows: number;
  readonly offsets: number[];
  readonly byteCounts: number[];
}

/**
 * Tiles of 256 x 256 with deflate and a horizontal predictor, levels halved by 2x2 means until one tile holds all. libvips makes
 * such files too, but compresses one tile after the other, which takes longer than a GPU takes for the map: here as many rows of
 * tiles are compressed at once as there are cores, and some are ready. What is written, and in which order, does not depend on that.
 */
export function createPyramid(path: string, size: Size): PyramidWriter {
  const levels = levelsOf(size);
  const descriptor = openSync(path, "w");
  let end = headerBytes;
  const underWay: Promise<void>[] = [];
  let written: Promise<void> = Promise.resolve();
  const most = Math.max(
    1,
    Math.min(availableParallelism() + readyRows, Math.floor(underWayBytes / (size.width * tiffTile * zlibBytes))),
  );

  /** Rows of tiles are written in the order in which they were begun. */
  const compress = async (level: Level, rows: Uint8Array): Promise<void> => {
    while (underWay.length >= most) await underWay.shift();
    const before = written;
    const encoded = compressed(rows, { width: level.width, height: rows.length / level.width });
    // Met when it is waited for; until then it must not count as unhandled.
    encoded.catch(() => undefined);
    written = (async () => {
      await before;
      for (const tile of await encoded) {
        level.offsets.push(end);
        level.byteCounts.push(tile.length);
        writeAt(descriptor, tile, end);
        end += tile.length;
      }
    })();
    written.catch(() => undefined);
    underWay.push(written);
  };

  const add = async (index: number, rows: Uint8Array): Promise<void> => {
    const level = levels[index];
    if (level === undefined) return;
    const halved = levels[index + 1] === undefined ? undefined : halve(rows, level);
    await compress(level, rows);
    if (halved !== undefined) await gather(index + 1, halved);
  };

  const gather = async (index: number, rows: Uint8Array): Promise<void> => {
    const level = levels[index];
    if (level === undefined) return;
    level.pending.set(rows, level.pendingRows * level.width);
    level.pendingRows += rows.length / level.width;
    if (level.pendingRows === tiffTile) await flush(index, level);
  };

  const flush = async (index: number, level: Level): Promise<void> => {
    const rows = level.pending.slice(0, level.pendingRows * level.width);
    level.pendingRows = 0;
    if (rows.length > 0) await add(index, rows);
  };

  return {
    addRows: (rows) => add(0, rows),
    finish: async () => {
      for (const [index, level] of levels.entries()) await flush(index, level);
      await written;
      let next = 0;
      // From the last one: each directory says where the one behind it lies.
      for (const [index, level] of [...levels.entries()].toReversed()) {
        end += end % 2;
        const { bytes, start } = encodeDirectory(fieldsOf(level, index), { at: end, next });
        writeAt(descriptor, bytes, end);
        next = start;
        end += bytes.length;
      }
      writeAt(descriptor, header(next), 0);
    },
    [Symbol.asyncDispose]: async () => {
      // What is under way would be written into whatever gets the descriptor next.
      await written.catch(() => undefined);
      closeSync(descriptor);
    },
  };
}

function levelsOf(size: Size): readonly Level[] {
  const levels: Level[] = [];
  for (let { width, height } = size; ; [width, height] = [half(width), half(height)]) {
    const pending = new Uint8Array(levels.length === 0 ? 0 : width * tiffTile);
    levels.push({ width, height, pending, pendingRows: 0, offsets: [], byteCounts: [] });
    if (width <= tiffTile && height <= tiffTile) return levels;
  }
}

function half(extent: number): number {
  return Math.max(1, Math.floor(extent / 2));
}

/** Means of 2x2 bytes, rounded half up; a row or column that is left over belongs to none, except where the level has no other. */
function halve(rows: Uint8Array, { width, height }: Size): Uint8Array {
  const size = { width: half(width), height: height === 1 ? 1 : Math.floor(rows.length / width / 2) };
  const halved = new Uint8Array(size.width * size.height);
  const right = width === 1 ? 0 : 1;
  const down = height === 1 ? 0 : width;
  for (let y = 0, at = 0; y < size.height; y += 1) {
    for (let x = 0, from = 2 * y * width; x < size.width; x += 1, at += 1, from += 2) {
      const above = (rows[from] ?? 0) + (rows[from + right] ?? 0);
      const below = (rows[from + down] ?? 0) + (rows[from + down + right] ?? 0);
      halved[at] = (above + below + 2) >> 2;
    }
  }
  return halved;
}

const deflated = promisify(deflate);
/**
 * Lengths of runs alone, no search for what was there before: after the predictor as small, in a third of the time. A tile's bytes in one
 * piece: each one more would be a task and a copy of its own.
 */
const compression = { strategy: constants.Z_RLE, memLevel: 9, chunkSize: tiffTile * tiffTile + 1024 } as const;

/** A row of tiles, from left to right; nobody reads what they hold beyond the rows. */
function compressed(rows: Uint8Array, { width, height }: Size): Promise<readonly Uint8Array[]> {
  const columns = Array.from({ length: Math.ceil(width / tiffTile) }, (_, column) => column * tiffTile);
  return Promise.all(
    columns.map((left) => deflated(differences(rows, { left, rowLength: width, rows: height }), compression)),
  );
}

/** TIFF's horizontal predictor: of each byte of a tile, what it is more than the one before it. */
function differences(
  bytes: Uint8Array,
  { left, rowLength, rows }: { readonly left: number; readonly rowLength: number; readonly rows: number },
): Uint8Array {
  const tile = new Uint8Array(tiffTile * tiffTile);
  const width = Math.min(tiffTile, rowLength - left);
  for (let row = 0; row < rows; row += 1) {
    const from = row * rowLength + left;
    let before = 0;
    for (let x = 0, to = row * tiffTile; x < width; x += 1, to += 1) {
      const byte = bytes[from + x] ?? 0;
      tile[to] = byte - before;
      before = byte;
    }
  }
  return tile;
}

const adobeDeflate = 8;
const blackIsZero = 1;
const chunky = 1;
const horizontalPredictor = 2;
const unsignedSamples = 1;
const reducedImage = 1;

function fieldsOf({ width, height, offsets, byteCounts }: Level, index: number): Parameters<typeof encodeDirectory>[0] {
  return [
    { tag: tags.newSubfileType, type: "long", values: [index === 0 ? 0 : reducedImage] },
    { tag: tags.imageWidth, type: "long", values: [width] },
    { tag: tags.imageLength, type: "long", values: [height] },
    { tag: tags.bitsPerSample, type: "short", values: [8] },
    { tag: tags.compression, type: "short", values: [adobeDeflate] },
    { tag: tags.photometric, type: "short", values: [blackIsZero] },
    { tag: tags.samplesPerPixel, type: "short", values: [1] },
    { tag: tags.planarConfiguration, type: "short", values: [chunky] },
    { tag: tags.predictor, type: "short", values: [horizontalPredictor] },
    { tag: tags.tileWidth, type: "long", values: [tiffTile] },
    { tag: tags.tileLength, type: "long", values: [tiffTile] },
    { tag: tags.tileOffsets, type: "long8", values: offsets },
    { tag: tags.tileByteCounts, type: "long8", values: byteCounts },
    { tag: tags.sampleFormat, type: "short", values: [unsignedSamples] },
  ];
}

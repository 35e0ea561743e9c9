import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { StatisticTable } from "../../explain/explanation.ts";
import type { Statistic } from "../../explain/statistics.ts";
import type { MapTile } from "../../explain/tile-program.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { elementBytes } from "../../graph/tensor.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { openFileSource } from "../../io/file-source.ts";
import { partBytes } from "../../io/part-bytes.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import { cutSamples } from "./cut-samples.ts";
import type { Finisher } from "./finish.ts";
import type { StoredTile } from "./stored-tile.ts";
import type { ThumbnailPart } from "./thumbnail.ts";

/** What one visit to a tile gives. */
export interface TileResult {
  readonly tile: number;
  readonly core: Rectangle;
  /** The tile's own, not merged: merging in one order is what makes the sum independent of how tiles were divided. */
  readonly statistics: StatisticTable;
  readonly maps: ReadonlyMap<string, MapTile>;
  /** What the maps cover, where it is more than the core. */
  readonly window?: Rectangle;
  /** The tile's part of the picture that previews are made of. */
  readonly thumbnail?: ThumbnailPart;
}

/** What a shard's file tells of a tile without its samples. */
export interface ShardTile extends Omit<TileResult, "maps" | "window"> {
  readonly maps: ReadonlyMap<string, Omit<StoredTile, "path" | "core"> & { readonly checksum: number }>;
}

/**
 * A shard's file: a mark, the samples of its tiles one after the other, then what is read at once: the tiles' parts of the picture that previews are
 * made of (8-bit RGB, in the tiles' order) and an index as JSON; and a trailer of fixed length with the lengths of both and their SHA-256. They come last
 * because a tile's results are written as they come. The index holds the CRC-32 of each tile's samples: a file that is not whole must not be taken for one,
 * and what tells accidents in gzip and PNG does here.
 */
const mark = new TextEncoder().encode("SLSHARD3");
const hashBytes = 32;
const trailerBytes = 2 * 8 + hashBytes;
/** Samples that are worth handing to another thread. */
const handedBytes = 2 ** 20;

const base64 = z.base64();
const rectangle = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });
const statisticsSchema = z.array(
  z.discriminatedUnion("kind", [
    z.object({ id: z.string(), kind: z.literal("sum"), sum: base64 }),
    z.object({ id: z.string(), kind: z.literal("max"), max: base64, row: base64, column: base64 }),
    z.object({ id: z.string(), kind: z.literal("log-sum-exp"), max: base64, scaled: base64 }),
  ]),
);
const tileSchema = z.array(
  z.object({
    tile: z.number().int(),
    core: rectangle,
    statistics: statisticsSchema,
    maps: z.array(
      z.object({
        id: z.string(),
        offset: z.number().int(),
        low: z.number(),
        high: z.number(),
        samples: z.enum(["uint16", "float32"]),
        checksum: z.number().int(),
      }),
    ),
    thumbnail: z
      .object({ left: z.number(), top: z.number(), width: z.int().nonnegative(), height: z.int().nonnegative() })
      .exactOptional(),
  }),
);

const indexSchema = z.object({
  tiles: tileSchema,
  /** Parts of the image that could not be read while these tiles were computed, and were taken as white. */
  unreadable: z.array(z.object({ level: z.number(), rectangle, code: z.string(), message: z.string() })),
});

type StoredTiles = z.output<typeof tileSchema>;
export type StoredPart = z.output<typeof indexSchema>["unreadable"][number];
type StoredStatistic = z.output<typeof statisticsSchema>[number];

export interface ShardIndex {
  readonly tiles: readonly ShardTile[];
  readonly unreadable: readonly StoredPart[];
}

export interface ShardWriter extends AsyncDisposable {
  /** Tiles that were added, in order. */
  readonly tiles: readonly number[];
  /** **Takes over the samples' buffers.** */
  add(result: TileResult): Promise<void>;
  /** Makes the file whole, with the unreadable parts of the image that are known by now. What is disposed of before is none. */
  finish(unreadable?: readonly StoredPart[]): Promise<void>;
}

/**
 * Begins a shard's file.
 * @param finisher keeps large samples in threads of its own
 * @throws {SlidelightError} `output-unwritable`, now and while tiles are added.
 */
export async function createShardFile(path: string, finisher: Pick<Finisher, "keep">): Promise<ShardWriter> {
  const file = await writing(path, () => open(path, "w"));
  const index: StoredTiles = [];
  const pictures: Uint8Array[] = [];
  let position = 0;
  const append = async (bytes: Uint8Array): Promise<void> => {
    await writing(path, () => writeAll(file, bytes, position));
    position += bytes.length;
  };
  /** @returns The checksum of the core's. */
  const appendSamples = async (data: MapTile["data"], window: Rectangle, core: Rectangle): Promise<number> => {
    if (data.byteLength < handedBytes) {
      const own = cutSamples(data, window, core);
      const bytes = new Uint8Array(own.buffer, own.byteOffset, own.byteLength);
      await append(bytes);
      return crc32(bytes);
    }
    const kept = await writing(path, () => finisher.keep({ path, position, data, window, core }));
    position += core.width * core.height * data.BYTES_PER_ELEMENT;
    giveBuffers([kept]);
    return kept.checksum;
  };
  await append(mark);
  return {
    get tiles() {
      return index.map(({ tile }) => tile);
    },
    add: async ({ tile, core, statistics, maps, window = core, thumbnail }) => {
      const stored: StoredTiles[number]["maps"] = [];
      for (const [id, { low, high, samples, data }] of maps) {
        // Samples of four bytes are read where they lie.
        const padding = (4 - (position % 4)) % 4;
        if (padding > 0) await append(new Uint8Array(padding));
        const offset = position;
        stored.push({ id, offset, low, high, samples, checksum: await appendSamples(data, window, core) });
      }
      const entry = { tile, core: { ...core }, statistics: storeStatistics(statistics), maps: stored };
      if (thumbnail === undefined) {
        index.push(entry);
      } else {
        const { data, ...place } = thumbnail;
        pictures.push(data);
        index.push({ ...entry, thumbnail: place });
      }
    },
    finish: async (unreadable = []) => {
      const picture = Buffer.concat(pictures);
      const encoded = new TextEncoder().encode(JSON.stringify({ tiles: index, unreadable }));
      const lengths = new DataView(new ArrayBuffer(trailerBytes - hashBytes));
      lengths.setBigUint64(0, BigInt(picture.length), true);
      lengths.setBigUint64(8, BigInt(encoded.length), true);
      await append(picture);
      await append(encoded);
      await append(Buffer.concat([new Uint8Array(lengths.buffer), hashOf([picture, encoded])]));
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/**
 * What a shard's file holds, without its samples: two small reads.
 * @throws {SlidelightError} `shard-invalid` when the file is not whole; what reading throws.
 */
export async function readShardIndex(source: ByteSource, options: Abortable = {}): Promise<ShardIndex> {
  const least = mark.length + trailerBytes;
  if (source.size < least) throw invalid(source.uri, `at least ${least} bytes`, `${source.size}`);
  const trailer = await source.read({ offset: source.size - trailerBytes, length: trailerBytes }, options);
  const lengths = new DataView(trailer.buffer, trailer.byteOffset);
  const pictured = Number(lengths.getBigUint64(0, true));
  const length = pictured + Number(lengths.getBigUint64(8, true));
  if (length > source.size - least) throw invalid(source.uri, "an index within the file", `one of ${length} bytes`);
  const bytes = await source.read({ offset: source.size - trailerBytes - length, length }, options);
  const expected = trailer.subarray(trailerBytes - hashBytes);
  if (!hashOf([bytes]).equals(expected)) {
    throw invalid(source.uri, "an index with the SHA-256 in its trailer", "another");
  }
  const parsed = indexSchema.safeParse(jsonOf(bytes.subarray(pictured)));
  if (!parsed.success) throw invalid(source.uri, "an index of this release", "another form");
  let at = 0;
  const tiles = parsed.data.tiles.map(({ statistics, maps, thumbnail, ...tile }): ShardTile => {
    const known = {
      ...tile,
      statistics: restoreStatistics(statistics),
      maps: new Map(maps.map(({ id, ...map }) => [id, map])),
    };
    if (thumbnail === undefined) return known;
    const start = at;
    at += thumbnail.width * thumbnail.height * 3;
    return { ...known, thumbnail: { ...thumbnail, data: bytes.subarray(start, at) } };
  });
  if (at !== pictured) throw invalid(source.uri, `${at} bytes of pictures`, `${pictured}`);
  return { tiles, unreadable: parsed.data.unreadable };
}

function hashOf(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * Checks the samples of a whole file against their checksums.
 * @throws {SlidelightError} `shard-invalid` when they are not what was written.
 */
export async function checkShardFile(path: string): Promise<void> {
  await using source = await openFileSource(path);
  const { tiles } = await readShardIndex(source);
  for (const { tile, core, maps } of tiles) {
    for (const [id, { offset, samples, checksum }] of maps) {
      const end = offset + core.width * core.height * elementBytes[samples];
      let found = 0;
      for (let start = offset; start < end; start += partBytes) {
        const part = await source.read({ offset: start, length: Math.min(partBytes, end - start) });
        found = crc32(part, found);
      }
      if (found !== checksum) throw invalid(path, `tile ${tile} of "${id}" with the CRC-32 in the index`, "another");
    }
  }
}

/** Statistics as JSON, to the last bit. */
export function encodeStatistics(table: StatisticTable): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(storeStatistics(table)));
}

/** @throws {SlidelightError} `shard-invalid` when they are none. */
export function decodeStatistics(bytes: Uint8Array, uri: string): StatisticTable {
  const parsed = statisticsSchema.safeParse(jsonOf(bytes));
  if (!parsed.success) throw invalid(uri, "statistics of this release", "another form");
  return restoreStatistics(parsed.data);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function storeStatistics(table: StatisticTable): StoredStatistic[] {
  return [...table].map(([id, statistic]): StoredStatistic => {
    if (statistic.kind === "sum") return { id, kind: "sum", sum: encodeNumbers(statistic.sum) };
    if (statistic.kind === "max") {
      const { max, row, column } = statistic;
      return { id, kind: "max", max: encodeNumbers(max), row: encodeNumbers(row), column: encodeNumbers(column) };
    }
    const { max, scaled } = statistic;
    return { id, kind: "log-sum-exp", max: encodeNumbers(max), scaled: encodeNumbers(scaled) };
  });
}

function restoreStatistics(stored: readonly StoredStatistic[]): StatisticTable {
  return new Map(
    stored.map((statistic): readonly [string, Statistic] => {
      const { id, kind } = statistic;
      if (kind === "sum") return [id, { kind, sum: decodeNumbers(statistic.sum) }];
      const max = decodeNumbers(statistic.max);
      if (kind === "max") {
        return [id, { kind, max, row: decodeNumbers(statistic.row), column: decodeNumbers(statistic.column) }];
      }
      return [id, { kind, max, scaled: decodeNumbers(statistic.scaled) }];
    }),
  );
}

/** Every bit of a number counts, and JSON has no infinities. */
function encodeNumbers({ buffer, byteOffset, byteLength }: Float64Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

function decodeNumbers(text: string): Float64Array {
  // In a buffer of its own, from its start.
  const { buffer, length } = new Uint8Array(Buffer.from(text, "base64"));
  return new Float64Array(buffer, 0, length / 8);
}

/** In as few calls as the system allows; `writeFile` makes one for every half a megabyte. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new RangeError(`the last ${bytes.length - done} bytes could not be written`);
    done += bytesWritten;
  }
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new SlidelightError(
      "output-unwritable",
      `Keeping tiles in the scratch file "${path}": ${messageOf(error)}. Choose another folder with --scratch, or free some space.`,
      { cause: error },
    );
  }
}

function invalid(uri: string, expected: string, got: string): SlidelightError {
  return new SlidelightError(
    "shard-invalid",
    `Reading the shard ${uri}: expected ${expected}, got ${got}. It is made again when the image is tried again.`,
  );
}

import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";

/** An entry of a directory; its values are read when they are asked for. */
interface Entry {
  readonly type: number;
  readonly count: number;
  /** Where the values lie in the file; small ones lie in the entry itself. */
  readonly offset: number;
}

/** One image file directory (IFD). */
export interface Directory {
  readonly offset: number;
  readonly entries: ReadonlyMap<number, Entry>;
}

/** A TIFF file's byte order, variant and directories in the order of its chain. */
export interface TiffFile {
  readonly source: ByteSource;
  readonly littleEndian: boolean;
  readonly big: boolean;
  readonly directories: readonly Directory[];
}

/** More than any slide or stack has; a chain that is longer is a fault or an attack. */
const maxDirectories = 4_096;
const maxEntries = 4_096;

/** Bytes of a value of each type, and how it is read; types that no tag here uses are read as their bytes. */
const valueTypes: Readonly<Record<number, { readonly bytes: number; readonly read: (at: At) => number }>> = {
  1: { bytes: 1, read: ({ view, offset }) => view.getUint8(offset) },
  2: { bytes: 1, read: ({ view, offset }) => view.getUint8(offset) },
  3: { bytes: 2, read: ({ view, offset, littleEndian }) => view.getUint16(offset, littleEndian) },
  4: { bytes: 4, read: ({ view, offset, littleEndian }) => view.getUint32(offset, littleEndian) },
  5: { bytes: 8, read: (at) => ratio(at) },
  6: { bytes: 1, read: ({ view, offset }) => view.getInt8(offset) },
  7: { bytes: 1, read: ({ view, offset }) => view.getUint8(offset) },
  8: { bytes: 2, read: ({ view, offset, littleEndian }) => view.getInt16(offset, littleEndian) },
  9: { bytes: 4, read: ({ view, offset, littleEndian }) => view.getInt32(offset, littleEndian) },
  10: { bytes: 8, read: (at) => ratio(at) },
  11: { bytes: 4, read: ({ view, offset, littleEndian }) => view.getFloat32(offset, littleEndian) },
  12: { bytes: 8, read: ({ view, offset, littleEndian }) => view.getFloat64(offset, littleEndian) },
  13: { bytes: 4, read: ({ view, offset, littleEndian }) => view.getUint32(offset, littleEndian) },
  16: { bytes: 8, read: ({ view, offset, littleEndian }) => Number(view.getBigUint64(offset, littleEndian)) },
  17: { bytes: 8, read: ({ view, offset, littleEndian }) => Number(view.getBigInt64(offset, littleEndian)) },
  18: { bytes: 8, read: ({ view, offset, littleEndian }) => Number(view.getBigUint64(offset, littleEndian)) },
};

interface At {
  readonly view: DataView;
  readonly offset: number;
  readonly littleEndian: boolean;
}

function ratio({ view, offset, littleEndian }: At): number {
  return view.getUint32(offset, littleEndian) / view.getUint32(offset + 4, littleEndian);
}

/**
 * Reads the header and the chain of directories of a classic or Big TIFF; the source should be cached.
 * @throws {SlidelightError} `image-corrupt` for loops and absurd counts, `image-truncated`.
 */
export async function readTiff(source: ByteSource, options: Abortable): Promise<TiffFile> {
  if (source.size < 8) throw tiffTruncated(source, { what: "its header", end: 8 });
  const start = await source.read({ offset: 0, length: Math.min(16, source.size) }, options);
  const littleEndian = start[0] === 0x49;
  const header = viewOf(start);
  const big = header.getUint16(2, littleEndian) === 43;
  if (big && start.length < 16) throw tiffTruncated(source, { what: "its header", end: 16 });
  const first = big ? Number(header.getBigUint64(8, littleEndian)) : header.getUint32(4, littleEndian);
  const directories: Directory[] = [];
  const file: TiffFile = { source, littleEndian, big, directories };
  const seen = new Set<number>();
  for (let offset = first; offset !== 0; ) {
    if (seen.has(offset)) throw corrupt(source, `its chain of directories is a loop (at byte ${offset})`);
    if (seen.size >= maxDirectories) throw corrupt(source, `it has more than ${maxDirectories} directories`);
    seen.add(offset);
    const { directory, next } = await readDirectory(file, { ...options, offset });
    directories.push(directory);
    offset = next;
  }
  if (directories.length === 0) throw corrupt(source, "it has no directory");
  return file;
}

/** The directory at an offset, and the offset of the next one in its chain (0: none). */
export async function readDirectory(
  file: Pick<TiffFile, "source" | "littleEndian" | "big">,
  options: Abortable & { readonly offset: number },
): Promise<{ readonly directory: Directory; readonly next: number }> {
  const { source, littleEndian, big } = file;
  const { offset } = options;
  const what = `the directory at byte ${offset}`;
  const countBytes = big ? 8 : 2;
  const entryBytes = big ? 20 : 12;
  const nextBytes = big ? 8 : 4;
  if (offset + countBytes > source.size) throw tiffTruncated(source, { what, end: offset + countBytes });
  const countView = viewOf(await source.read({ offset, length: countBytes }, options));
  const count = big ? Number(countView.getBigUint64(0, littleEndian)) : countView.getUint16(0, littleEndian);
  if (count === 0 || count > maxEntries) {
    throw corrupt(source, `${what} claims ${count} entries, expected 1 to ${maxEntries}`);
  }
  const length = count * entryBytes + nextBytes;
  const at = offset + countBytes;
  if (at + length > source.size) throw tiffTruncated(source, { what, end: at + length });
  const view = viewOf(await source.read({ offset: at, length }, options));
  const entries = new Map<number, Entry>();
  for (let index = 0; index < count; index += 1) {
    const position = index * entryBytes;
    const type = view.getUint16(position + 2, littleEndian);
    const valueCount = big
      ? Number(view.getBigUint64(position + 4, littleEndian))
      : view.getUint32(position + 4, littleEndian);
    const field = position + (big ? 12 : 8);
    const valueBytes = valueCount * (valueTypes[type]?.bytes ?? 1);
    const inside = valueBytes <= (big ? 8 : 4);
    const outside = (): number =>
      big ? Number(view.getBigUint64(field, littleEndian)) : view.getUint32(field, littleEndian);
    entries.set(view.getUint16(position, littleEndian), {
      type,
      count: valueCount,
      offset: inside ? at + field : outside(),
    });
  }
  const last = count * entryBytes;
  const next = big ? Number(view.getBigUint64(last, littleEndian)) : view.getUint32(last, littleEndian);
  return { directory: { offset, entries }, next };
}

/** Which values to read: a directory may claim as many as the file has bytes. */
interface TagRequest extends Abortable {
  readonly directory: Directory;
  readonly tag: number;
  /** Values beyond this number are not read. */
  readonly most: number;
}

/** The raw bytes of a tag's values, `undefined` when the tag is absent. */
export async function tagBytes(file: TiffFile, options: TagRequest): Promise<Uint8Array | undefined> {
  const { directory, tag, most } = options;
  const entry = directory.entries.get(tag);
  if (entry === undefined) return undefined;
  const { source } = file;
  const valueBytes = valueTypes[entry.type]?.bytes ?? 1;
  if (entry.count * valueBytes > source.size) {
    throw corrupt(
      source,
      `tag ${tag} claims ${entry.count} values, more than the file of ${source.size} bytes can hold`,
    );
  }
  const length = Math.min(entry.count, most) * valueBytes;
  if (entry.offset + length > source.size) {
    throw tiffTruncated(source, { what: `the values of tag ${tag}`, end: entry.offset + length });
  }
  return source.read({ offset: entry.offset, length }, options);
}

/** A tag's values as numbers; empty when the tag is absent. */
export async function tagValues(file: TiffFile, options: TagRequest): Promise<readonly number[]> {
  const entry = options.directory.entries.get(options.tag);
  const raw = await tagBytes(file, options);
  const type = valueTypes[entry?.type ?? 0];
  if (entry === undefined || raw === undefined || type === undefined) return [];
  const view = viewOf(raw);
  return Array.from({ length: raw.length / type.bytes }, (_, index) =>
    type.read({ view, offset: index * type.bytes, littleEndian: file.littleEndian }),
  );
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function corrupt(source: { readonly uri: string }, fault: string): SlidelightError {
  return new SlidelightError(
    "image-corrupt",
    `Opening ${source.uri} as a TIFF failed: ${fault}. The file is damaged: copy it again from its origin.`,
  );
}

export function tiffTruncated(
  source: ByteSource,
  { what, end }: { readonly what: string; readonly end: number },
): SlidelightError {
  return new SlidelightError(
    "image-truncated",
    `Opening ${source.uri} as a TIFF failed: ${what} would end at byte ${end}, but the file has only ${source.size} bytes. ` +
      "The file is incomplete: copy it again from its origin.",
    { detail: { end, size: source.size } },
  );
}

/** A tag of a directory, with its values. */
export interface Field {
  readonly tag: number;
  readonly type: keyof typeof fieldTypes;
  readonly values: readonly number[];
}

type Put = (view: DataView, offset: number, value: number) => void;

const fieldTypes = {
  short: { code: 3, bytes: 2, put: (view, offset, value) => view.setUint16(offset, value, true) },
  long: { code: 4, bytes: 4, put: (view, offset, value) => view.setUint32(offset, value, true) },
  long8: { code: 16, bytes: 8, put: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true) },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly bytes: number; readonly put: Put }>>;

export const headerBytes = 16;
/** Of a value that lies in its entry. */
const inlineBytes = 8;
const entryBytes = 20;

/** The first bytes of a BigTIFF, little-endian, whose first directory lies at `first`. */
export function header(first: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(headerBytes));
  view.setUint16(0, 0x4949, true);
  view.setUint16(2, 43, true);
  view.setUint16(4, inlineBytes, true);
  view.setBigUint64(8, BigInt(first), true);
  return new Uint8Array(view.buffer);
}

/**
 * A directory (IFD) of a BigTIFF, with the values that are too long for it before it.
 * @param fields In the order of their tags.
 * @param place.at Where the bytes will lie in the file: even.
 * @param place.next Where the next directory lies; 0 for none.
 * @returns The bytes, and where in the file the directory itself starts.
 */
export function encodeDirectory(
  fields: readonly Field[],
  { at, next }: { readonly at: number; readonly next: number },
): { readonly bytes: Uint8Array; readonly start: number } {
  const lengths = fields.map(({ type, values }) => values.length * fieldTypes[type].bytes);
  const long = lengths.map((length) => (length > inlineBytes ? Math.ceil(length / inlineBytes) * inlineBytes : 0));
  const before = long.reduce((sum, length) => sum + length, 0);
  const view = new DataView(new ArrayBuffer(before + 8 + fields.length * entryBytes + 8));
  view.setBigUint64(before, BigInt(fields.length), true);
  let outside = 0;
  for (const [index, { tag, type, values }] of fields.entries()) {
    const { code, bytes, put } = fieldTypes[type];
    const entry = before + 8 + index * entryBytes;
    view.setUint16(entry, tag, true);
    view.setUint16(entry + 2, code, true);
    view.setBigUint64(entry + 4, BigInt(values.length), true);
    const isLong = (long[index] ?? 0) > 0;
    if (isLong) view.setBigUint64(entry + 12, BigInt(at + outside), true);
    const from = isLong ? outside : entry + 12;
    for (const [position, value] of values.entries()) put(view, from + position * bytes, value);
    outside += long[index] ?? 0;
  }
  view.setBigUint64(view.byteLength - 8, BigInt(next), true);
  return { bytes: new Uint8Array(view.buffer), start: at + before };
}

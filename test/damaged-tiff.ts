/** Noise in the place of a tile's compressed data, of a little-endian TIFF with one directory of tiles. @param tile Negative from the end. */
export function withoutTile(tiff: Uint8Array, tile: number): Uint8Array {
  const bytes = Buffer.from(tiff);
  const directory = bytes.readUInt32LE(4);
  const entry = (tag: number): number => {
    for (let at = directory + 2; ; at += 12) if (bytes.readUInt16LE(at) === tag) return at;
  };
  const [offsets, lengths] = [entry(324), entry(325)];
  const count = bytes.readUInt32LE(offsets + 4);
  const valueOf = (at: number): number => bytes.readUInt32LE(bytes.readUInt32LE(at + 8) + 4 * ((tile + count) % count));
  const offset = valueOf(offsets);
  return bytes.fill(0x5a, offset, offset + valueOf(lengths));
}

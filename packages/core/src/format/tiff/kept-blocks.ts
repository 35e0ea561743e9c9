import type { RgbBlock } from "../images/decode.ts";

/** Blocks that were used last. */
export interface KeptBlocks {
  has(key: string): boolean;
  /** The block, which is the one that was used last now. */
  use(key: string): RgbBlock | undefined;
  keep(key: string, block: RgbBlock): void;
}

/** @param limitBytes of the buffers in which blocks lie: each is in memory as long as one of its blocks is kept */
export function keptBlocks(limitBytes: number): KeptBlocks {
  const blocks = new Map<string, RgbBlock>();
  const inBuffer = new Map<ArrayBufferLike, number>();
  let bytes = 0;
  const forget = (key: string): void => {
    const buffer = blocks.get(key)?.data.buffer;
    if (buffer === undefined) return;
    blocks.delete(key);
    const left = (inBuffer.get(buffer) ?? 1) - 1;
    inBuffer.set(buffer, left);
    if (left > 0) return;
    inBuffer.delete(buffer);
    bytes -= buffer.byteLength;
  };
  const keep = (key: string, block: RgbBlock): void => {
    const { buffer } = block.data;
    if (!inBuffer.has(buffer)) bytes += buffer.byteLength;
    inBuffer.set(buffer, (inBuffer.get(buffer) ?? 0) + 1);
    forget(key);
    blocks.set(key, block);
    for (const oldest of blocks.keys()) {
      if (bytes <= limitBytes) break;
      forget(oldest);
    }
  };
  return {
    has: (key) => blocks.has(key),
    use: (key) => {
      const block = blocks.get(key);
      if (block !== undefined) keep(key, block);
      return block;
    },
    keep,
  };
}

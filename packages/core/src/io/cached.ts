import type { Abortable, ByteSource } from "./byte-source.ts";
import { checkRange } from "./io-error.ts";
import { shareWork } from "./shared-work.ts";
import type { SharedWork } from "./shared-work.ts";

/**
 * Keeps the blocks that were read last. Blocks being read are shared; a failed read is forgotten, so that the next caller
 * tries again.
 * @param options.maxBytes memory for blocks (4 MiB)
 * @param options.blockBytes size of a block (64 KiB)
 */
export function cached(
  source: ByteSource,
  { maxBytes = 4_194_304, blockBytes = 65_536 }: { readonly maxBytes?: number; readonly blockBytes?: number } = {},
): ByteSource {
  // A map keeps the order of insertion: the first key is the one used longest ago.
  const blocks = new Map<number, Uint8Array>();
  const reading = new Map<number, SharedWork<Uint8Array>>();
  const capacity = Math.max(1, Math.floor(maxBytes / blockBytes));

  const keep = (index: number, bytes: Uint8Array): void => {
    blocks.delete(index);
    blocks.set(index, bytes);
    for (const oldest of blocks.keys()) {
      if (blocks.size <= capacity) break;
      blocks.delete(oldest);
    }
  };
  const startBlock = (index: number): SharedWork<Uint8Array> => {
    const offset = index * blockBytes;
    const work = shareWork(async (signal) => {
      try {
        const bytes = await source.read({ offset, length: Math.min(blockBytes, source.size - offset) }, { signal });
        keep(index, bytes);
        return bytes;
      } finally {
        if (reading.get(index) === work) reading.delete(index);
      }
    });
    reading.set(index, work);
    return work;
  };
  const blockAt = (index: number, options: Abortable): Promise<Uint8Array> => {
    const known = blocks.get(index);
    if (known !== undefined) {
      keep(index, known);
      return Promise.resolve(known);
    }
    const started = reading.get(index);
    return (started === undefined || started.abandoned ? startBlock(index) : started).join(options);
  };

  return {
    uri: source.uri,
    size: source.size,
    etag: source.etag,
    read: async (range, options = {}) => {
      options.signal?.throwIfAborted();
      checkRange(source, range);
      if (range.length === 0) return new Uint8Array(0);
      const first = Math.floor(range.offset / blockBytes);
      const last = Math.floor((range.offset + range.length - 1) / blockBytes);
      // More than fits would only push itself out.
      if (last - first >= capacity) return source.read(range, options);
      const parts = await Promise.all(
        Array.from({ length: last - first + 1 }, (_, step) => blockAt(first + step, options)),
      );
      const bytes = new Uint8Array(range.length);
      parts.forEach((part, step) => {
        const at = (first + step) * blockBytes - range.offset;
        bytes.set(part.subarray(Math.max(0, -at), Math.min(part.length, range.length - at)), Math.max(0, at));
      });
      return bytes;
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

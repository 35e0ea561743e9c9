import type { Abortable, ByteRange, ByteSource } from "./byte-source.ts";
import { checkRange } from "./io-error.ts";
import { shareWork } from "./shared-work.ts";

interface Waiting {
  readonly range: ByteRange;
  readonly options: Abortable;
  readonly resolve: (bytes: Promise<Uint8Array>) => void;
}

/**
 * Merges reads that are asked for in the same turn of the event loop when they lie near each other: neighbouring tiles of
 * a slide become one request. A merged read is aborted only when all its callers have left.
 * @param options.maxGapBytes bytes that may be read for nothing to save a request (64 KiB: less than a round trip costs)
 * @param options.maxReadBytes largest merged read (8 MiB)
 */
export function coalesced(
  source: ByteSource,
  {
    maxGapBytes = 65_536,
    maxReadBytes = 8_388_608,
  }: { readonly maxGapBytes?: number; readonly maxReadBytes?: number } = {},
): ByteSource {
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const batch = waiting.filter(({ options }) => options.signal?.aborted !== true);
    waiting = [];
    for (const group of grouped(batch, { maxGapBytes, maxReadBytes })) readGroup(source, group);
  };
  return {
    uri: source.uri,
    size: source.size,
    etag: source.etag,
    read: async (range, options = {}) => {
      const { signal } = options;
      signal?.throwIfAborted();
      checkRange(source, range);
      if (range.length === 0) return new Uint8Array(0);
      return new Promise<Uint8Array>((resolve, reject) => {
        // The read itself listens once it has started; this covers the time until the turn ends.
        const leave = (): void => reject(signal?.reason);
        signal?.addEventListener("abort", leave, { once: true });
        waiting.push({
          range,
          options,
          resolve: (bytes) => {
            signal?.removeEventListener("abort", leave);
            resolve(bytes);
          },
        });
        if (waiting.length === 1) setImmediate(flush);
      });
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

interface Group {
  offset: number;
  end: number;
  readonly members: Waiting[];
}

function grouped(
  batch: readonly Waiting[],
  limits: { readonly maxGapBytes: number; readonly maxReadBytes: number },
): readonly Group[] {
  const groups: Group[] = [];
  for (const item of [...batch].sort((a, b) => a.range.offset - b.range.offset)) {
    const { offset, length } = item.range;
    const last = groups.at(-1);
    const end = Math.max(last?.end ?? 0, offset + length);
    if (last !== undefined && offset - last.end <= limits.maxGapBytes && end - last.offset <= limits.maxReadBytes) {
      last.end = end;
      last.members.push(item);
    } else {
      groups.push({ offset, end: offset + length, members: [item] });
    }
  }
  return groups;
}

function readGroup(source: ByteSource, { offset, end, members }: Group): void {
  const work = shareWork((signal) => source.read({ offset, length: end - offset }, { signal }));
  for (const { range, options, resolve } of members) {
    const start = range.offset - offset;
    resolve(work.join(options).then((bytes) => bytes.subarray(start, start + range.length)));
  }
}

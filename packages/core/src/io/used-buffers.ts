import { availableBytes } from "./available-bytes.ts";

/**
 * Buffers that nobody needs any more, to be used again. Memory that is touched for the first time costs 0.8 ms a megabyte on the virtual
 * machines that this was measured on: four times as long as copying pixels into it, and half of what a GPU takes to compute them.
 * Each thread has its own, as it has its own allocator's.
 */
const kept = new Set<ArrayBuffer>();
let keptBytes = 0;

/** Smaller ones cost nothing. */
const leastBytes = 2 ** 20;
/** Of all that are kept: of the memory that there is, and no more than some large tiles take. */
const mostBytes = Math.min(2 ** 30, availableBytes() / 32);

/** A buffer of this length. **What it holds is not known**: whoever takes it writes all of it. */
export function takeBuffer(byteLength: number): ArrayBuffer {
  return takeUsedBuffer(byteLength) ?? new ArrayBuffer(byteLength);
}

/** The same, if there is one that was used before: for another thread, which makes its own where there is none. */
export function takeUsedBuffer(byteLength: number): ArrayBuffer | undefined {
  for (const buffer of kept) {
    if (buffer.byteLength !== byteLength) continue;
    forget(buffer);
    return buffer;
  }
  return undefined;
}

/** Gives buffers away for good: nobody reads or writes them any more, through whichever array. Those that were handed to another thread are none. */
export function giveBuffers(holders: Iterable<{ readonly data: ArrayBufferView }>): void {
  for (const {
    data: { buffer },
  } of holders) {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < leastBytes || kept.has(buffer)) continue;
    kept.add(buffer);
    keptBytes += buffer.byteLength;
  }
  for (const oldest of kept) {
    if (keptBytes <= mostBytes) break;
    forget(oldest);
  }
}

function forget(buffer: ArrayBuffer): void {
  kept.delete(buffer);
  keptBytes -= buffer.byteLength;
}

import { totalmem } from "node:os";
import type { Precision } from "./engine.ts";

/** Bytes that this process may use, as the machine or its container says. */
export function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** What a value takes in a precision, beside float32: sums and maps stay wide, but they are few. */
export const narrowness: { readonly [P in Precision]: number } = { float32: 1, bfloat16: 0.5, float16: 0.5 };

const leastWarmBytes = 0.5 * 2 ** 30;
const mostWarmBytes = 2 * 2 ** 30;

/**
 * Bytes that programs may keep between runs beside the one that runs, when nothing else is said: a sixteenth of what
 * there is. Memory that is given back must be touched anew, which costs a border tile a sixth of its run.
 */
export function defaultWarmBytes(): number {
  return Math.min(mostWarmBytes, Math.max(leastWarmBytes, availableBytes() / 16));
}

/** Of an accelerator's own memory, which nothing else is in: with the two fifths that a tile may take, a fifth is left. */
export function warmBytesOf({ memoryBytes }: { readonly memoryBytes: number }): number {
  return Math.floor(memoryBytes * 0.4);
}

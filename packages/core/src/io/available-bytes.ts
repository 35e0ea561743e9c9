import { totalmem } from "node:os";

/** Bytes that this process may use, as the machine or its container says. */
export function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

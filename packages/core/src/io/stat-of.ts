import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { fileError, systemCodeOf } from "./io-error.ts";

/** Nothing is there, a file stands where a folder should, or a link leads to itself. */
const absent: readonly (string | undefined)[] = ["ENOENT", "ENOTDIR", "ELOOP"];

/** Whether a file operation failed because what it was about is not there. */
export function isAbsent(error: unknown): boolean {
  return absent.includes(systemCodeOf(error));
}

/**
 * What the system knows of a path; `undefined` where nothing is.
 * @throws {SlidelightError} `store-denied`, `store-unavailable`.
 */
export async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, { operation: "Looking up", path, otherwise: "store-unavailable" });
  }
}

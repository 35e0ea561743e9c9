import { stat } from "node:fs/promises";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ErrorCode } from "../errors/codes.ts";
import { fileError, systemCodeOf } from "./io-error.ts";

/**
 * A store of a folder that is not there is an empty one, which to somebody who named it wrongly tells nothing.
 * @throws {SlidelightError} `missing` when there is no folder at the path.
 */
export async function expectFolder(
  path: string,
  { doing, missing, advice }: { readonly doing: string; readonly missing: ErrorCode; readonly advice: string },
): Promise<void> {
  if (await isFolder(path)) return;
  throw new SlidelightError(missing, `${doing} ${path} failed: expected a folder, and there is none. ${advice}`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return false;
    throw fileError(error, { operation: "Looking up", path, otherwise: "store-unavailable" });
  }
}

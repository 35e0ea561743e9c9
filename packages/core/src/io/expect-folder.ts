import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ErrorCode } from "../errors/codes.ts";
import { statOf } from "./stat-of.ts";

/**
 * A store of a folder that is not there is an empty one, which to somebody who named it wrongly tells nothing.
 * @throws {SlidelightError} `missing` when there is no folder at the path.
 */
export async function expectFolder(
  path: string,
  { doing, missing, advice }: { readonly doing: string; readonly missing: ErrorCode; readonly advice: string },
): Promise<void> {
  if ((await statOf(path))?.isDirectory() === true) return;
  throw new SlidelightError(missing, `${doing} ${path} failed: expected a folder, and there is none. ${advice}`);
}

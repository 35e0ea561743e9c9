import type { ErrorCode } from "../errors/codes.ts";
import { messageOf } from "../errors/message-of.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ByteRange } from "./byte-source.ts";

/** The `code` of a Node system error (`ENOENT`…), or of any error that carries one as text. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

interface FileFault {
  readonly code: ErrorCode;
  readonly advice: string;
}

const denied: FileFault = { code: "store-denied", advice: "Check the permissions of the file and its folders." };
const notAFile: FileFault = {
  code: "key-invalid",
  advice: "A folder stands where a file should, or a file where a folder should.",
};
const noRoom: FileFault = { code: "output-unwritable", advice: "Free space on the disk and try again." };

const fileFaults: Readonly<Record<string, FileFault>> = {
  EACCES: denied,
  EPERM: denied,
  EROFS: { code: "store-denied", advice: "The file system is read-only." },
  EISDIR: notAFile,
  ENOTDIR: notAFile,
  ENAMETOOLONG: { code: "key-invalid", advice: "Each part of a name may have at most 255 bytes." },
  ENOSPC: noRoom,
  EDQUOT: noRoom,
};

/** A system error of a file operation as one of the project's errors. */
export function fileError(
  error: unknown,
  context: { readonly operation: string; readonly path: string; readonly otherwise: ErrorCode },
): SlidelightError {
  if (error instanceof SlidelightError) return error;
  const fault = fileFaults[systemCodeOf(error) ?? ""] ?? { code: context.otherwise, advice: "" };
  const message = `${context.operation} ${context.path} failed: ${messageOf(error)}. ${fault.advice}`.trimEnd();
  return new SlidelightError(fault.code, message, { cause: error });
}

/** @throws {SlidelightError} `image-truncated` when the range does not lie within the object. */
export function checkRange(object: { readonly uri: string; readonly size: number }, range: ByteRange): void {
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RangeError(`A byte range has a non-negative integer offset and length, got ${offset} and ${length}.`);
  }
  if (offset + length > object.size) throw truncated(object, range);
}

export function truncated(object: { readonly uri: string; readonly size: number }, range: ByteRange): SlidelightError {
  return new SlidelightError(
    "image-truncated",
    `Reading bytes ${range.offset} to ${range.offset + range.length} of ${object.uri} failed: it has only ${object.size} bytes. ` +
      "The file is incomplete: copy it again from its origin.",
    { detail: { offset: range.offset, length: range.length, size: object.size } },
  );
}

export function changed(uri: string): SlidelightError {
  return new SlidelightError(
    "image-changed",
    `Reading ${uri} failed: it was changed after it had been opened. Run again when nothing writes to it any more.`,
  );
}

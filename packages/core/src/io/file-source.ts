import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import type { ErrorCode } from "../errors/codes.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ByteSource } from "./byte-source.ts";
import { changed, checkRange, fileError, systemCodeOf, truncated } from "./io-error.ts";

/**
 * A local file, read by position. A file that is replaced by renaming stays readable as it was; one that is written in
 * place is met as `image-changed`.
 * @throws {SlidelightError} `image-not-found`, `image-not-an-image` (a folder), `store-denied`.
 */
export function openFileSource(path: string): Promise<ByteSource> {
  return openFile(path, { uri: path, missing: "image-not-found" });
}

/** Like `openFileSource`, with the name to print and the code for a file that is not there. */
export async function openFile(
  path: string,
  options: { readonly uri: string; readonly missing: ErrorCode },
): Promise<ByteSource> {
  const { uri } = options;
  let handle: FileHandle;
  try {
    // Not to wait for a writer when the path is a named pipe, which is refused below.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || systemCodeOf(error) === "ENOTDIR") {
      throw new SlidelightError(options.missing, `Opening ${uri} failed: there is no such file. Check the path.`, {
        cause: error,
      });
    }
    throw fileError(error, { operation: "Opening", path: uri, otherwise: "store-unavailable" });
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) {
      const found = stat.isDirectory() ? "a folder" : "no regular file";
      throw new SlidelightError(
        "image-not-an-image",
        `Opening ${uri} failed: it is ${found}. Give the path of a file.`,
        { detail: { found } },
      );
    }
    return fileSource(handle, { uri, stat });
  } catch (error) {
    await handle.close();
    throw fileError(error, { operation: "Opening", path: uri, otherwise: "store-unavailable" });
  }
}

/** Identity of a version of a file. */
export function fileEtag(stat: BigIntStats): string {
  return `${stat.size}-${stat.mtimeNs}`;
}

function fileSource(
  handle: FileHandle,
  { uri, stat }: { readonly uri: string; readonly stat: BigIntStats },
): ByteSource {
  const size = Number(stat.size);
  const etag = fileEtag(stat);
  return {
    uri,
    size,
    etag,
    read: async (range, options) => {
      options?.signal?.throwIfAborted();
      checkRange({ uri, size }, range);
      const bytes = new Uint8Array(range.length);
      let read = 0;
      try {
        while (read < range.length) {
          const { bytesRead } = await handle.read(bytes, read, range.length - read, range.offset + read);
          if (bytesRead === 0) break;
          read += bytesRead;
        }
        if (fileEtag(await handle.stat({ bigint: true })) !== etag) throw changed(uri);
      } catch (error) {
        throw fileError(error, { operation: "Reading", path: uri, otherwise: "store-unavailable" });
      }
      options?.signal?.throwIfAborted();
      if (read < range.length) throw truncated({ uri, size: range.offset + read }, range);
      return bytes;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

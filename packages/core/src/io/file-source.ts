import { constants, fstat, read } from "node:fs";
import type { BigIntStats } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
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

/** By what the process' other threads can read a file that is open here. */
const descriptors = new WeakMap<ByteSource, number>();

function fileSource(
  handle: FileHandle,
  { uri, stat }: { readonly uri: string; readonly stat: BigIntStats },
): ByteSource {
  const file = { uri, size: Number(stat.size), etag: fileEtag(stat) };
  const source = {
    ...file,
    read: rangesOf(file, {
      read: async (bytes, start, position) =>
        (await handle.read(bytes, start, bytes.length - start, position)).bytesRead,
      stat: () => handle.stat({ bigint: true }),
    }),
    [Symbol.asyncDispose]: () => handle.close(),
  };
  descriptors.set(source, handle.fd);
  return source;
}

/** What another thread reads the same bytes by; `undefined` of all but a local file as it was opened, with nothing around it. */
export function descriptorOf(source: ByteSource): number | undefined {
  return descriptors.get(source);
}

const readAt = promisify(read);
const statAt: (descriptor: number, options: { readonly bigint: true }) => Promise<BigIntStats> = promisify(fstat);

/**
 * A file that another thread has opened, and closes once this one is disposed of, which waits for what is being read.
 * @param file what its opener knows of it
 */
export function fileOfThread(descriptor: number, file: Pick<ByteSource, "uri" | "size" | "etag">): ByteSource {
  const reading = new Set<Promise<unknown>>();
  const ranges = rangesOf(file, {
    read: async (bytes, start, position) =>
      (await readAt(descriptor, bytes, start, bytes.length - start, position)).bytesRead,
    stat: () => statAt(descriptor, { bigint: true }),
  });
  return {
    ...file,
    read: async (range, options) => {
      const bytes = ranges(range, options);
      reading.add(bytes);
      try {
        return await bytes;
      } finally {
        reading.delete(bytes);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(reading);
    },
  };
}

interface FileReads {
  /** @returns How many bytes were read from `position` to `start`: fewer than fit only at the file's end, or where the system likes. */
  readonly read: (bytes: Uint8Array, start: number, position: number) => Promise<number>;
  readonly stat: () => Promise<BigIntStats>;
}

function rangesOf({ uri, size, etag }: Pick<ByteSource, "uri" | "size" | "etag">, file: FileReads): ByteSource["read"] {
  return async (range, options) => {
    options?.signal?.throwIfAborted();
    checkRange({ uri, size }, range);
    const bytes = new Uint8Array(range.length);
    let count = 0;
    try {
      while (count < range.length) {
        const more = await file.read(bytes, count, range.offset + count);
        if (more === 0) break;
        count += more;
      }
      if (fileEtag(await file.stat()) !== etag) throw changed(uri);
    } catch (error) {
      throw fileError(error, { operation: "Reading", path: uri, otherwise: "store-unavailable" });
    }
    options?.signal?.throwIfAborted();
    if (count < range.length) throw truncated({ uri, size: range.offset + count }, range);
    return bytes;
  };
}

import { createReadStream, createWriteStream } from "node:fs";
import type { Dirent } from "node:fs";
import { link, open, readdir, realpath, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Abortable } from "./byte-source.ts";
import { fileEtag, openFile } from "./file-source.ts";
import { fileError, systemCodeOf } from "./io-error.ts";
import { isAbsent, statOf } from "./stat-of.ts";
import { compareKeys, keySegments, prefixFolder, temporaryPrefix } from "./key.ts";
import { makeFolder } from "./make-folder.ts";
import { partBytes } from "./part-bytes.ts";
import { ownerOf, temporaryName } from "./temporary-name.ts";
import type { ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";

/**
 * A folder as an object store. The folder is made when something is put. A put writes a temporary file beside its goal,
 * forces it to the disk and renames it, so that a crash leaves the old object or the new one.
 */
export function openFileStore(root: string): ObjectStore {
  const pathOf = (key: string): string => join(root, ...keySegments(key));
  const nameOf = (key: string): string => join(root, key);
  return {
    uri: root,
    head: (key) => headOf(key, pathOf(key)),
    open: async (key, options) => {
      options?.signal?.throwIfAborted();
      return openFile(pathOf(key), { uri: nameOf(key), missing: "store-not-found" });
    },
    put: (key, body, options = {}) =>
      putAtomically(pathOf(key), options, async (temporary) => {
        const file = await open(temporary, "wx");
        try {
          await file.writeFile(body, { signal: options.signal });
          await file.sync();
        } finally {
          await file.close();
        }
      }),
    putFile: (key, path, options = {}) =>
      putAtomically(pathOf(key), options, async (temporary) => {
        const from = createReadStream(path, { highWaterMark: partBytes });
        await pipeline(from, createWriteStream(temporary, { flags: "wx", highWaterMark: partBytes }), {
          ...(options.signal && { signal: options.signal }),
        });
        await syncPath(temporary);
      }),
    list: (prefix, options = {}) => listFolder(root, prefix, options),
    delete: async (key) => {
      try {
        await rm(pathOf(key));
        await removeEmptyFolders(root, keySegments(key).slice(0, -1));
      } catch (error) {
        if (isAbsent(error)) return;
        throw fileError(error, { operation: "Deleting", path: nameOf(key), otherwise: "output-unwritable" });
      }
    },
    giveUpWrites: async (prefix, { olderThanMs = givenUpMs, nested = true } = {}) => {
      const folder = join(root, ...prefixFolder(prefix));
      try {
        for (const entry of await readdir(folder, { recursive: nested, withFileTypes: true })) {
          if (!entry.name.startsWith(temporaryPrefix)) continue;
          const path = join(entry.parentPath, entry.name);
          const owner = ownerOf(entry.name);
          const age = Date.now() - Number((await statOf(path))?.mtimeMs ?? 0);
          // A write that goes on makes its file younger.
          const gone = owner === "is gone" || (owner === "unknown" && age > Math.max(olderThanMs, givenUpMs / 4));
          if (gone) await rm(path, { force: true });
        }
      } catch (error) {
        if (isAbsent(error)) return;
        throw fileError(error, { operation: "Cleaning", path: folder, otherwise: "output-unwritable" });
      }
    },
  };
}

/** Writes that are older are taken for given up, where nothing else is known of them. */
const givenUpMs = 3_600_000;

async function headOf(key: string, path: string): Promise<ObjectInfo | undefined> {
  const found = await statOf(path);
  if (found === undefined || !found.isFile()) return undefined;
  return { key, size: Number(found.size), etag: fileEtag(found), modifiedMs: Number(found.mtimeMs) };
}

/** An object store has no folders: one that holds nothing any more is not there. */
async function removeEmptyFolders(root: string, segments: readonly string[]): Promise<void> {
  for (let depth = segments.length; depth > 0; depth -= 1) {
    try {
      await rmdir(join(root, ...segments.slice(0, depth)));
    } catch {
      // It holds something, or somebody else was faster.
      return;
    }
  }
}

async function putAtomically(
  path: string,
  { ifAbsent = false, signal }: PutOptions,
  write: (temporary: string) => Promise<void>,
): Promise<"written" | "exists"> {
  signal?.throwIfAborted();
  const folder = dirname(path);
  const temporary = join(folder, temporaryName());
  try {
    await makeFolder(folder);
    await write(temporary).catch(async (error: unknown) => {
      if (!isAbsent(error)) throw error;
      // A delete found the folder empty meanwhile, and removed it.
      await makeFolder(folder);
      await write(temporary);
    });
    signal?.throwIfAborted();
    // A hard link fails when its goal exists, which a rename does not.
    if (ifAbsent) await link(temporary, path);
    else await rename(temporary, path);
    await syncPath(folder);
    return "written";
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (ifAbsent && systemCodeOf(error) === "EEXIST" && (await statOf(path))?.isFile() === true) return "exists";
    throw fileError(error, { operation: "Writing", path, otherwise: "output-unwritable" });
  } finally {
    await rm(temporary, { force: true }).catch((error: unknown) => {
      if (!isAbsent(error))
        throw fileError(error, { operation: "Deleting", path: temporary, otherwise: "output-unwritable" });
    });
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Walks in key order; holds the names of one folder a depth, never those of the whole tree. */
async function* listFolder(
  root: string,
  prefix: string,
  { after = "", signal }: Abortable & { readonly after?: string },
): AsyncGenerator<ObjectInfo> {
  const start = prefixFolder(prefix);
  const wanted = (key: string): boolean => key.startsWith(prefix) || (key.endsWith("/") && prefix.startsWith(key));
  // A folder is over when all its keys lie at or before `after`.
  const isOver = (key: string): boolean =>
    compareKeys(key, after) <= 0 && !(key.endsWith("/") && after.startsWith(key));

  async function* walk(folder: string, above: readonly string[]): AsyncGenerator<ObjectInfo> {
    signal?.throwIfAborted();
    const place = await placeOf(join(root, folder));
    // A link to a folder that it lies in: all of that is listed already.
    if (place === undefined || above.includes(place)) return;
    for (const name of await namesIn(join(root, folder))) {
      const key = folder + name;
      if (!wanted(key) || (after !== "" && isOver(key))) continue;
      if (key.endsWith("/")) {
        yield* walk(key, [...above, place]);
        continue;
      }
      const info = await headOf(key, join(root, key));
      if (info !== undefined) yield info;
    }
  }
  yield* walk(start.map((segment) => `${segment}/`).join(""), []);
}

/** Where a folder really lies; `undefined` when it is not there. */
async function placeOf(folder: string): Promise<string | undefined> {
  try {
    return await realpath(folder);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw fileError(error, { operation: "Listing", path: folder, otherwise: "store-unavailable" });
  }
}

/** The names in a folder in key order; those of folders, and of links to folders, end in a slash, because their keys sort so. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const isFolder = async (entry: Dirent): Promise<boolean> =>
    entry.isSymbolicLink() ? (await statOf(join(folder, entry.name)))?.isDirectory() === true : entry.isDirectory();
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries
      .filter((entry) => !entry.name.startsWith(temporaryPrefix))
      .map(async (entry) => ((await isFolder(entry)) ? `${entry.name}/` : entry.name));
    return (await Promise.all(names)).sort(compareKeys);
  } catch (error) {
    if (isAbsent(error)) return [];
    if (error instanceof SlidelightError) throw error;
    throw fileError(error, { operation: "Listing", path: folder, otherwise: "store-unavailable" });
  }
}

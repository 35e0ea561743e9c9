import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { checkShardFile } from "../../format/output/shard-file.ts";
import type { Abortable, ByteSource } from "../../io/byte-source.ts";
import { openFileSource } from "../../io/file-source.ts";
import type { ObjectStore } from "../../io/object-store.ts";
import { retried } from "../../io/retried.ts";
import { requireSpace } from "../../io/scratch.ts";
import { download } from "./download.ts";
import { inParallel } from "./in-parallel.ts";
import { isPlan } from "./work-plan.ts";
import { makeFolder } from "../../io/make-folder.ts";

/** Where an image's plan and shards rest until its results are committed. Names are `/`-separated. */
export interface ShardStore {
  /** To print. */
  readonly uri: string;
  /** A small object's bytes; `undefined` when it is not there. */
  read(name: string, options?: Abortable): Promise<Uint8Array | undefined>;
  /** Writes a small object unless it is there: then what is there stays. */
  write(name: string, bytes: Uint8Array, options?: Abortable): Promise<"written" | "exists">;
  /** Names that start with a prefix. */
  names(prefix: string, options?: Abortable): Promise<ReadonlySet<string>>;
  /** Takes a finished file: it is under its name afterwards, whole or not at all, and no longer where it was. */
  take(name: string, path: string, options?: Abortable): Promise<void>;
  /** Random access to what was taken. @throws {SlidelightError} `shard-invalid` when it is not there. */
  open(name: string, options?: Abortable): Promise<ByteSource>;
  /**
   * A local file with what was taken, in the caller's `folder`, checked against its hash unless this process has just written it here.
   * @throws {SlidelightError} `shard-invalid` when it is not there, or not what was written: it is removed then.
   */
  fetch(name: string, folder: string, options?: Abortable): Promise<string>;
  remove(name: string): Promise<void>;
  /** Removes everything; writes that were given up too, whoever made them. */
  clear(): Promise<void>;
}

/** A folder of this machine: files are moved into it. */
export function openShardFolder(root: string): ShardStore {
  const pathOf = (name: string): string => join(root, ...name.split("/"));
  /** Names of files that were made by this process: their hashes are of the same bytes. */
  const own = new Set<string>();
  // Another process that finishes the image removes the folder, at any moment.
  const fault = (error: unknown): SlidelightError =>
    errnoOf(error).code === "ENOENT" ? missing(root, error) : unwritable(root, error);
  const unlessAbsent = <T>(error: NodeJS.ErrnoException, otherwise: T): T => {
    if (error.code === "ENOENT") return otherwise;
    throw unwritable(root, error);
  };
  return {
    uri: root,
    read: async (name) => {
      try {
        return await readFile(pathOf(name));
      } catch (error) {
        return unlessAbsent(errnoOf(error), undefined);
      }
    },
    write: async (name, bytes) => {
      const path = pathOf(name);
      const temporary = `${path}.${randomUUID()}.tmp`;
      try {
        await makeFolder(dirname(path));
        await writeFile(temporary, bytes);
        // A link fails where a rename would replace.
        await link(temporary, path);
        return "written";
      } catch (error) {
        if (errnoOf(error).code === "EEXIST") return "exists";
        throw fault(error);
      } finally {
        await rm(temporary, { force: true });
      }
    },
    names: async (prefix) => {
      const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      try {
        const entries = await readdir(pathOf(folder), { recursive: true, withFileTypes: true });
        const names = entries
          .filter((entry) => entry.isFile() && !entry.name.endsWith(".tmp"))
          .map((entry) =>
            join(entry.parentPath, entry.name)
              .slice(root.length + 1)
              .replaceAll("\\", "/"),
          );
        return new Set(names.filter((name) => name.startsWith(prefix)));
      } catch (error) {
        return unlessAbsent(errnoOf(error), new Set<string>());
      }
    },
    take: async (name, from) => {
      try {
        await makeFolder(dirname(pathOf(name)));
        await rename(from, pathOf(name));
        own.add(name);
        // Folders are removed by their age.
        const now = new Date();
        await utimes(root, now, now);
      } catch (error) {
        throw fault(error);
      }
    },
    open: async (name) => absentIsInvalid(`${root}/${name}`, () => openFileSource(pathOf(name))),
    fetch: async (name, folder) => {
      const copy = join(folder, name.replaceAll("/", "-"));
      try {
        // A name of the caller's own for the same bytes: another process may finish the image, and remove its parts.
        await rm(copy, { force: true });
        await link(pathOf(name), copy);
      } catch (error) {
        throw fault(error);
      }
      if (own.has(name)) return copy;
      await checkedOrRemoved(copy, async () => {
        await rm(copy, { force: true });
        await rm(pathOf(name), { force: true });
      });
      return copy;
    },
    remove: async (name) => {
      own.delete(name);
      await rm(pathOf(name), { force: true });
    },
    clear: async () => {
      own.clear();
      // Plans first: who stores a part without its plan takes it back.
      const precisions = await readdir(root, { withFileTypes: true }).catch(() => []);
      for (const entry of precisions) {
        if (entry.isDirectory()) await rm(join(root, entry.name, "plan.json"), { force: true });
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Requests to a store under way at once. */
const requests = 16;

/** A prefix of an object store, which the workers of an image share. */
export function openShardObjects(store: ObjectStore, prefix: string): ShardStore {
  const keyOf = (name: string): string => `${prefix}/${name}`;
  const open = async (name: string, options: Abortable = {}): Promise<ByteSource> =>
    absentIsInvalid(`${store.uri}/${keyOf(name)}`, async () => retried(await store.open(keyOf(name), options)));
  return {
    uri: `${store.uri}/${prefix}`,
    read: async (name, options = {}) => {
      if ((await store.head(keyOf(name), options)) === undefined) return undefined;
      await using source = await open(name, options);
      return await source.read({ offset: 0, length: source.size }, options);
    },
    write: (name, bytes, options = {}) => store.put(keyOf(name), bytes, { ...options, ifAbsent: true }),
    names: async (start, options = {}) => {
      const names = new Set<string>();
      for await (const { key } of store.list(keyOf(start), options)) names.add(key.slice(prefix.length + 1));
      return names;
    },
    take: async (name, path, options = {}) => {
      await store.putFile(keyOf(name), path, options);
      await rm(path, { force: true });
    },
    open,
    fetch: async (name, folder, options = {}) => {
      const path = join(folder, name.replaceAll("/", "-"));
      await using source = await open(name, options);
      await requireSpace(folder, source.size);
      await download(source, path, options);
      await checkedOrRemoved(path, async () => {
        await rm(path, { force: true });
        await store.delete(keyOf(name));
      });
      return path;
    },
    remove: (name) => store.delete(keyOf(name)),
    clear: async () => {
      // Plans first: who stores a part without its plan takes it back.
      for (const plans of [true, false]) {
        const keys: string[] = [];
        for await (const { key } of store.list(`${prefix}/`)) if (isPlan(key) || !plans) keys.push(key);
        await inParallel(keys, requests, (key) => store.delete(key));
      }
      await store.giveUpWrites(`${prefix}/`, { olderThanMs: 0 });
    },
  };
}

async function checkedOrRemoved(path: string, remove: () => Promise<void>): Promise<void> {
  try {
    await checkShardFile(path);
  } catch (error) {
    if (error instanceof SlidelightError && error.code === "shard-invalid") await remove();
    throw error;
  }
}

async function absentIsInvalid(uri: string, open: () => Promise<ByteSource>): Promise<ByteSource> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof SlidelightError && (error.code === "store-not-found" || error.code === "image-not-found")) {
      throw missing(uri, error);
    }
    throw error;
  }
}

function missing(uri: string, cause?: unknown): SlidelightError {
  return new SlidelightError(
    "shard-invalid",
    `Looking for parts of an image in ${uri}: expected them to be there, got nothing: another worker may have finished the image. It is looked at again.`,
    { cause },
  );
}

function errnoOf(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}

function unwritable(root: string, error: unknown): SlidelightError {
  return new SlidelightError(
    "output-unwritable",
    `Keeping work in progress in "${root}": ${messageOf(error)}. Choose another folder with --scratch, or free some space.`,
    { cause: error },
  );
}

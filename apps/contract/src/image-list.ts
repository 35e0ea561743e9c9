import { createReadStream, ReadStream } from "node:fs";
import { isAbsolute, join, parse, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileError, openStore, parseLocation, SlidelightError, statOf } from "@slidelight/core/request";
import type { Abortable, ObjectInfo, StoreSettings } from "@slidelight/core";

/** Extensions of the formats that are read; what a prefix holds besides is left out. */
export const imageExtensions: readonly string[] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "svs"];

/** What runs write, when results lie under the prefix that is listed: they are no images of the archive. */
const resultKey = /(?:^|\/)[0-9a-f]{32}\/(?:map\.tif|preview\.jpg)$/u;

/** An image to explain, as found. */
export interface ImageEntry {
  /** As it was given, or made of the folder or prefix that was given. */
  readonly uri: string;
  /** Under which its results go. */
  readonly key: string;
  /** What a listing knows of it; absent for an image that was named itself. */
  readonly info?: ObjectInfo;
}

export interface ImageListOptions extends StoreSettings, Abortable {
  readonly folder: string;
  readonly extensions?: readonly string[];
  /** Where `-` reads from. */
  readonly input?: Readable;
  /** Whether a file is an image, or a list with an image a line. */
  readonly files: "images" | "lists";
}

/**
 * The images that an argument stands for, streaming: a folder or `s3://bucket/prefix/` for everything under it; an
 * image; or, where lists are taken, a file or `-` with an image or a prefix a line.
 * @throws {SlidelightError} `usage`, `image-not-found` (a list that is not there), `store-*`.
 */
export async function* listImages(argument: string, options: ImageListOptions): AsyncGenerator<ImageEntry> {
  options.signal?.throwIfAborted();
  if (argument === "-" && options.files === "lists") {
    if (options.input === undefined) throw new RangeError("Reading a list from standard input: there is none.");
    yield* listedImages(options.input, options);
    return;
  }
  const location = parseLocation(argument);
  if (location.kind === "s3") {
    if (location.key === "" || location.key.endsWith("/")) yield* prefixImages(location, options);
    else yield { uri: argument, key: location.key };
    return;
  }
  const path = resolve(options.folder, location.path);
  const found = await statOf(path);
  if (found?.isDirectory() === true) {
    yield* folderImages(argument, path, options);
  } else if (options.files === "images" || hasExtension(path, options.extensions ?? imageExtensions)) {
    yield { uri: argument, key: fileKey(path, options.folder) };
  } else if (found === undefined) {
    throw new SlidelightError(
      "image-not-found",
      `Opening the list ${argument} failed: there is no such file or folder. Give a folder, s3://bucket/prefix/, a file with an image a line, or - for standard input.`,
    );
  } else {
    yield* listedImages(createReadStream(path, "utf8"), options);
  }
}

async function* listedImages(input: Readable, options: ImageListOptions): AsyncGenerator<ImageEntry> {
  for await (const line of linesOf(input, options)) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    // A list names images and prefixes, not further lists.
    yield* listImages(text, { ...options, files: "images" });
  }
}

/** @throws {SlidelightError} `store-denied`, `store-unavailable` when the input can't be read to its end. */
async function* linesOf(input: Readable, { signal }: Abortable): AsyncGenerator<string> {
  try {
    // An interruption ends the lines: whoever writes them may be waiting too.
    yield* createInterface({ input, crlfDelay: Infinity, ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw listError(error, input);
  }
  signal?.throwIfAborted();
}

function listError(error: unknown, input: Readable): SlidelightError {
  const path = input instanceof ReadStream ? String(input.path) : "of standard input";
  return fileError(error, { operation: "Reading the list", path, otherwise: "store-unavailable" });
}

async function* folderImages(argument: string, path: string, options: ImageListOptions): AsyncGenerator<ImageEntry> {
  const folderKey = fileKey(path, options.folder);
  for await (const info of openStore(path).list("", { signal: options.signal })) {
    if (!isImage(info.key, options)) continue;
    const uri = join(argument, ...info.key.split("/"));
    yield { uri, key: folderKey === "" ? info.key : `${folderKey}/${info.key}`, info };
  }
}

async function* prefixImages(
  { bucket, key }: { readonly bucket: string; readonly key: string },
  options: ImageListOptions,
): AsyncGenerator<ImageEntry> {
  const store = openStore(`s3://${bucket}`, options);
  for await (const info of store.list(key, { signal: options.signal })) {
    if (!isImage(info.key, options)) continue;
    yield { uri: `s3://${bucket}/${info.key}`, key: info.key, info };
  }
}

/**
 * The path below the folder where the command runs; of what lies elsewhere, the path from the root: names alone would be the same for many, as where each case is a
 * folder with a `slide.svs`, and files of one size and time under one name are one image.
 */
function fileKey(path: string, folder: string): string {
  const below = relative(folder, path);
  const outside = below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below);
  if (!outside) return below.split(sep).join("/");
  const { root } = parse(path);
  // A drive has a name, which is "C:\\".
  const drive = root.replaceAll(/[^A-Za-z0-9]/gu, "");
  return [drive, ...path.slice(root.length).split(sep)].filter((segment) => segment !== "").join("/");
}

function isImage(key: string, options: ImageListOptions): boolean {
  return hasExtension(key, options.extensions ?? imageExtensions) && !resultKey.test(key);
}

function hasExtension(key: string, extensions: readonly string[]): boolean {
  const name = key.slice(key.lastIndexOf("/") + 1).toLowerCase();
  return extensions.some((extension) => name.endsWith(`.${extension}`));
}

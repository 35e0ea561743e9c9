import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Abortable } from "../../io/byte-source.ts";
import type { ObjectStore } from "../../io/object-store.ts";
import { partBytes } from "../../io/part-bytes.ts";
import { encodeManifest, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";

export const manifestName = "manifest.json";

const contentTypes: Readonly<Record<string, string>> = {
  tif: "image/tiff",
  jpg: "image/jpeg",
  json: "application/json",
};

function contentTypeOf(path: string): string {
  return contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}

/** Files under a folder, their paths relative to it with `/`, in order. */
export async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const prefix = folder.length + 1;
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(prefix).replaceAll("\\", "/"))
    .sort();
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path, { highWaterMark: partBytes })) hash.update(part);
  return hash.digest("hex");
}

/** Files of a folder, by their paths in it, as a manifest lists them. */
export async function describeOutputs(folder: string, paths: readonly string[]): Promise<Manifest["outputs"]> {
  const outputs: Manifest["outputs"] = [];
  for (const path of paths) {
    const { size } = await stat(join(folder, path));
    outputs.push({ path, bytes: size, sha256: await sha256Of(join(folder, path)) });
  }
  return outputs;
}

export interface CommitRequest extends Abortable {
  readonly store: ObjectStore;
  /** Key of the run's folder, without a slash at its end. */
  readonly key: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

/**
 * Makes a run visible: the data first, the manifest last and only if there is none, so that readers who trust manifests
 * alone never see half a result. `exists`: another worker was first; its result is as good, and its data stay as they are,
 * because its manifest holds their hashes and another machine may round differently.
 */
export async function commitRun(request: CommitRequest): Promise<"written" | "exists"> {
  const { store, key, folder, manifest, signal } = request;
  // Before any upload: a manifest that can't be written leaves nothing behind.
  const encoded = encodeManifest(manifest);
  if ((await store.head(`${key}/${manifestName}`, signal === undefined ? {} : { signal })) !== undefined)
    return "exists";
  for (const { path } of manifest.outputs) {
    await store.putFile(`${key}/${path}`, join(folder, path), {
      contentType: contentTypeOf(path),
      ...(signal === undefined ? {} : { signal }),
    });
  }
  signal?.throwIfAborted();
  return store.put(`${key}/${manifestName}`, encoded, {
    ifAbsent: true,
    contentType: "application/json",
  });
}

/**
 * The manifest of a run, or `undefined` when it is not there.
 * @throws {SlidelightError} `job-invalid` when it is damaged; as the store does.
 */
export async function readManifest(
  store: ObjectStore,
  key: string,
  { signal }: Abortable = {},
): Promise<Manifest | undefined> {
  const path = `${key}/${manifestName}`;
  if ((await store.head(path, { signal })) === undefined) return undefined;
  await using source = await store.open(path, { signal });
  return parseManifest(await source.read({ offset: 0, length: source.size }, { signal }), `${store.uri}/${path}`);
}

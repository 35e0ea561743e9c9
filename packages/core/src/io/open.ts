import type { Abortable, ByteSource } from "./byte-source.ts";
import { deferredStore } from "./deferred-store.ts";
import { openFileSource } from "./file-source.ts";
import { openFileStore } from "./file-store.ts";
import { keySegments } from "./key.ts";
import { parseLocation } from "./location.ts";
import type { ObjectStore } from "./object-store.ts";
import { retried } from "./retried.ts";
import { s3Folder } from "./s3-address.ts";
import type { S3Settings } from "./s3-client.ts";

/** What stores need besides their address. */
export interface StoreSettings {
  readonly s3?: S3Settings;
}

/** Settings that are the SDK's defaults; one object, so that they share one client. */
const defaultS3Settings: S3Settings = {};

/**
 * The store at a folder's path or `s3://bucket/prefix`.
 * @throws {SlidelightError} `usage` for another scheme, `key-invalid` for an unusable prefix.
 */
export function openStore(uri: string, settings: StoreSettings = {}): ObjectStore {
  const location = parseLocation(uri);
  if (location.kind === "file") return openFileStore(location.path);
  const folder = s3Folder(location.bucket, location.key);
  // The SDK takes longer to load than a command on files takes to start: it is loaded with the first request.
  return deferredStore(folder.uri, async () => {
    const { openS3Store } = await import("./s3-store.ts");
    return openS3Store(folder, settings.s3 ?? defaultS3Settings);
  });
}

/**
 * The file at a path or the object `s3://bucket/key`; reads from a store are tried again when it was unavailable.
 * @throws {SlidelightError} `image-not-found`, `store-denied`, `store-unavailable`, `key-invalid`, `usage`.
 */
export async function openSource(uri: string, settings: StoreSettings & Abortable = {}): Promise<ByteSource> {
  const location = parseLocation(uri);
  if (location.kind === "file") return openFileSource(location.path);
  keySegments(location.key);
  const [{ s3Client }, { openS3Source }] = await Promise.all([import("./s3-client.ts"), import("./s3-source.ts")]);
  const client = s3Client(settings.s3 ?? defaultS3Settings);
  const source = await openS3Source(client, { address: location, missing: "image-not-found", signal: settings.signal });
  return retried(source);
}

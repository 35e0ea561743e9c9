import { basename, dirname, resolve } from "node:path";
import type { ImageEntry } from "@slidelight/contract";
import { openStore, parseLocation, SlidelightError } from "@slidelight/core/request";
import type { Abortable, ObjectInfo, StoreSettings } from "@slidelight/core";

/** What a listing would have told of an image that was named itself. @throws {SlidelightError} `image-not-found`, `store-*`. */
export async function lookUp(
  { uri, key }: ImageEntry,
  options: StoreSettings & Abortable & { readonly folder: string },
): Promise<ObjectInfo> {
  const location = parseLocation(uri);
  const path = location.kind === "file" ? resolve(options.folder, location.path) : "";
  const info =
    location.kind === "s3"
      ? await openStore(`s3://${location.bucket}`, options).head(key, { signal: options.signal })
      : await openStore(dirname(path)).head(basename(path), { signal: options.signal });
  if (info !== undefined) return info;
  throw new SlidelightError(
    "image-not-found",
    `Looking up ${uri} failed: there is no such image. Check the path or the key.`,
  );
}

/** Workers run elsewhere: what they are told does not depend on this folder. */
export function absolute(uri: string, folder: string): string {
  const location = parseLocation(uri);
  return location.kind === "s3" ? uri : resolve(folder, location.path);
}

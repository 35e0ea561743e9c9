import { fileURLToPath } from "node:url";
import { SlidelightError } from "../errors/slidelight-error.ts";

/** Where something lies: a path of this machine, or a key of a bucket (empty for the bucket itself). */
export type Location =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string };

/**
 * Reads a path, a `file://` URL or `s3://bucket/key`. Keys are taken as they are written, without URL decoding.
 * @throws {SlidelightError} `usage` for another scheme, a missing bucket or an empty location; `key-invalid` for what is no bucket's name.
 */
export function parseLocation(uri: string): Location {
  if (uri.startsWith("s3://")) {
    const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/su.exec(uri) ?? [];
    if (bucket === "") throw unusable(uri, "it names no bucket");
    if (!bucketName.test(bucket)) throw noBucketName(uri, bucket);
    return { kind: "s3", bucket, key };
  }
  if (uri.startsWith("file://")) return { kind: "file", path: pathOfUrl(uri) };
  if (/^[a-z][a-z0-9+.-]+:\/\//iu.test(uri)) throw unusable(uri, "its scheme is not known");
  if (uri === "" || uri.includes("\0")) throw unusable(uri, "it is no path");
  return { kind: "file", path: uri };
}

/** Old buckets may have longer names than new ones, capitals and underscores; an access point is named by its ARN. */
const bucketName = /^(?:[a-z0-9][\w.-]{1,253}[a-z0-9]|arn:[\w:.-]+)$/iu;

/** Servers answer each request in another way to it, and to some without a reason. */
function noBucketName(uri: string, bucket: string): SlidelightError {
  return new SlidelightError(
    "key-invalid",
    `The location ${JSON.stringify(uri)} can't be used: ${JSON.stringify(bucket)} is no bucket's name. Expected 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends.`,
  );
}

function pathOfUrl(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch {
    throw unusable(uri, "it is no file URL of this machine");
  }
}

function unusable(uri: string, fault: string): SlidelightError {
  return new SlidelightError(
    "usage",
    `The location ${JSON.stringify(uri)} can't be used: ${fault}. Give a path or s3://bucket/key.`,
  );
}

import { keySegments } from "./key.ts";

/** An object's address within S3. */
export interface S3Address {
  readonly bucket: string;
  readonly key: string;
}

export function s3Uri({ bucket, key }: S3Address): string {
  return `s3://${bucket}/${key}`;
}

/** A bucket, or the part of it below a prefix. */
export interface S3Folder {
  readonly bucket: string;
  /** What all its keys begin with: empty, or with a slash at its end. */
  readonly base: string;
  /** To print. */
  readonly uri: string;
}

/** The folder at a prefix, with or without slashes at its end. @throws {SlidelightError} `key-invalid`. */
export function s3Folder(bucket: string, prefix: string): S3Folder {
  if (prefix === "") return { bucket, base: "", uri: `s3://${bucket}` };
  const folder = prefix.replace(/\/+$/u, "");
  keySegments(folder);
  return { bucket, base: `${folder}/`, uri: s3Uri({ bucket, key: folder }) };
}

import { Readable } from "node:stream";
import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import type { ErrorCode } from "../errors/codes.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Abortable, ByteRange, ByteSource } from "./byte-source.ts";
import { changed, checkRange } from "./io-error.ts";
import { s3Uri } from "./s3-address.ts";
import type { S3Address } from "./s3-address.ts";
import { s3Error, statusOf } from "./s3-client.ts";

/** ETags travel in quotes; without them they compare and print alike everywhere. */
function unquoted(etag: string | undefined): string {
  return (etag ?? "").replace(/^"(.*)"$/u, "$1");
}

/**
 * Identity of a version of an object. Some servers give no ETag, for files that were put into their folder by hand: then size and
 * time, as of files.
 */
export function versionOf(object: {
  readonly etag: string | undefined;
  readonly size: number;
  readonly modified: Date | undefined;
}): string {
  // HEAD tells whole seconds, a listing may tell more.
  const seconds = Math.floor((object.modified?.getTime() ?? 0) / 1000);
  return unquoted(object.etag) || `${object.size}-${seconds}`;
}

/** An object by ranges; every request carries `If-Match`, so that a changed object is an error. */
export async function openS3Source(
  client: S3Client,
  options: Abortable & { readonly address: S3Address; readonly missing: ErrorCode },
): Promise<ByteSource> {
  const { address, missing, signal } = options;
  const uri = s3Uri(address);
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket: address.bucket, Key: address.key }), {
      ...(signal && { abortSignal: signal }),
    });
    const size = head.ContentLength ?? 0;
    const etag = versionOf({ etag: head.ETag, size, modified: head.LastModified });
    const condition = head.ETag === undefined || head.ETag === "" ? {} : { etag };
    return {
      uri,
      size,
      etag,
      read: async (range, readOptions = {}) => {
        readOptions.signal?.throwIfAborted();
        checkRange({ uri, size }, range);
        if (range.length === 0) return new Uint8Array(0);
        try {
          return await readRange(client, { address, range, ...condition, signal: readOptions.signal });
        } catch (error) {
          if (statusOf(error) === 412) throw changed(uri);
          throw s3Error(error, { operation: "Reading", uri, signal: readOptions.signal, missing });
        }
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } catch (error) {
    throw s3Error(await reasonOf(client, { address, signal, refusal: error }), {
      operation: "Opening",
      uri,
      signal,
      missing,
    });
  }
}

/** Of these, HEAD does not tell whether the key, the bucket, its name or the account is at fault: its answer has no body. */
const unexplained: readonly (number | undefined)[] = [400, 404];

/** Why a HEAD was refused, as GET tells it. */
export async function reasonOf(
  client: S3Client,
  options: Abortable & { readonly address: S3Address; readonly refusal: unknown },
): Promise<unknown> {
  const { address, refusal, signal } = options;
  if (!unexplained.includes(statusOf(refusal))) return refusal;
  try {
    const answer = await client.send(
      new GetObjectCommand({ Bucket: address.bucket, Key: address.key, Range: "bytes=0-0" }),
      { ...(signal && { abortSignal: signal }) },
    );
    if (answer.Body instanceof Readable) answer.Body.destroy();
    return refusal;
  } catch (error) {
    return error;
  }
}

async function readRange(
  client: S3Client,
  request: Abortable & { readonly address: S3Address; readonly range: ByteRange; readonly etag?: string },
): Promise<Uint8Array> {
  const { address, range, etag, signal } = request;
  const last = range.offset + range.length - 1;
  const answer = await client.send(
    new GetObjectCommand({
      Bucket: address.bucket,
      Key: address.key,
      Range: `bytes=${range.offset}-${last}`,
      ...(etag === undefined ? {} : { IfMatch: `"${etag}"` }),
    }),
    { ...(signal && { abortSignal: signal }) },
  );
  const body = answer.Body;
  if (!(body instanceof Readable)) throw new TypeError("The S3 client gave no stream.");
  if (answer.$metadata.httpStatusCode !== 206 || answer.ContentLength !== range.length) {
    body.destroy();
    throw new SlidelightError(
      "store-unavailable",
      `Reading bytes ${range.offset} to ${last} of ${s3Uri(address)} failed: expected 206 with ${range.length} bytes, got ` +
        `${answer.$metadata.httpStatusCode} with ${answer.ContentLength}. The server or a proxy before it must support ranges.`,
    );
  }
  return drained(body, { length: range.length, signal, uri: s3Uri(address) });
}

async function drained(
  body: Readable,
  { length, signal, uri }: Abortable & { readonly length: number; readonly uri: string },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let read = 0;
  const leave = (): void => {
    body.destroy(new Error("aborted"));
  };
  signal?.addEventListener("abort", leave, { once: true });
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array) || read + chunk.length > length) break;
      bytes.set(chunk, read);
      read += chunk.length;
    }
  } finally {
    signal?.removeEventListener("abort", leave);
  }
  if (read === length) return bytes;
  throw new SlidelightError(
    "store-unavailable",
    `Reading ${uri} failed: the answer ended after ${read} of ${length} bytes. Try again.`,
  );
}

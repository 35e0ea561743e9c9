import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type {
  AbortMultipartUploadCommandInput,
  HeadObjectCommandOutput,
  ListMultipartUploadsCommandOutput,
  PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Abortable } from "./byte-source.ts";
import { fileError, systemCodeOf } from "./io-error.ts";
import { compareKeys, keySegments, prefixFolder } from "./key.ts";
import type { ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";
import { pause } from "./retried.ts";
import { s3Uri } from "./s3-address.ts";
import type { S3Address, S3Folder } from "./s3-address.ts";
import { isAbsentObject, s3Client, s3Error, statusOf } from "./s3-client.ts";
import type { S3Settings } from "./s3-client.ts";
import { openS3Source, reasonOf, versionOf } from "./s3-source.ts";

/** Tries of a conditional put that met another one at the same time (HTTP 409). */
const conflictAttempts = 5;
/** S3 allows 10,000 parts; 8 MiB is its customary part. */
const minPartBytes = 8_388_608;
const maxParts = 9_000;
/** Uploads that are older are taken for given up. */
const givenUpMs = 3_600_000;
/** Marks whose put an object is, to tell one's own write from another's after a lost answer. */
const writerTag = "slidelight-put";

type PutInput = Omit<PutObjectCommandInput, "Body">;

/** A bucket, or a part of it, as an object store. */
export function openS3Store({ bucket, base, uri }: S3Folder, settings: S3Settings): ObjectStore {
  const client = s3Client(settings);
  const addressOf = (key: string): S3Address => ({ bucket, key: base + keySegments(key).join("/") });

  return {
    uri,
    head: async (key, { signal } = {}) => {
      const head = await headOf(client, { address: addressOf(key), signal });
      if (head === undefined) return undefined;
      return {
        key,
        size: head.ContentLength ?? 0,
        etag: versionOf({ etag: head.ETag, size: head.ContentLength ?? 0, modified: head.LastModified }),
        modifiedMs: head.LastModified?.getTime() ?? 0,
      };
    },
    open: async (key, { signal } = {}) =>
      openS3Source(client, { address: addressOf(key), missing: "store-not-found", signal }),
    put: async (key, body, putOptions = {}) => {
      const { signal } = putOptions;
      return putConditionally(client, {
        address: addressOf(key),
        put: putOptions,
        send: async (input) => {
          await client.send(new PutObjectCommand({ ...input, Body: body }), { ...(signal && { abortSignal: signal }) });
        },
      });
    },
    putFile: async (key, path, putOptions = {}) => {
      const size = await sizeOf(path);
      return putConditionally(client, {
        address: addressOf(key),
        put: putOptions,
        send: (input) => upload(client, { input, path, size, signal: putOptions.signal }),
      });
    },
    list: (prefix, listOptions = {}) => listBucket(client, { ...listOptions, bucket, base, prefix, uri }),
    delete: async (key, { signal } = {}) => {
      const address = addressOf(key);
      try {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: address.key }), {
          ...(signal && { abortSignal: signal }),
        });
      } catch (error) {
        if (isAbsentObject(error)) return;
        throw s3Error(error, { operation: "Deleting", uri: s3Uri(address), signal });
      }
    },
    giveUpWrites: (prefix, { olderThanMs = givenUpMs, signal } = {}) => {
      prefixFolder(prefix);
      const before = olderThanMs === 0 ? Infinity : Date.now() - olderThanMs;
      return abortUploads(client, { bucket, prefix: base + prefix, before, uri: `${uri}/${prefix}`, signal });
    },
  };
}

/** Parts of uploads that were never completed cost money, and nobody sees them. */
async function abortUploads(
  client: S3Client,
  {
    bucket,
    prefix,
    before,
    uri,
    signal,
  }: Abortable & {
    readonly bucket: string;
    readonly prefix: string;
    /** Begun before, in milliseconds since 1970 by the server's clock. */
    readonly before: number;
    readonly uri: string;
  },
): Promise<void> {
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
  const options = { ...(signal && { abortSignal: signal }) };
  try {
    while (marker !== undefined) {
      const page: ListMultipartUploadsCommandOutput = await client.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
        options,
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Initiated !== undefined && Initiated.getTime() > before) continue;
        await abortUpload(client, { Bucket: bucket, Key, UploadId }, options);
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      marker =
        IsTruncated === true && NextKeyMarker !== undefined
          ? {
              KeyMarker: NextKeyMarker,
              ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
            }
          : undefined;
    }
  } catch (error) {
    // Where there is no bucket, there is nothing to give up, and who goes on to write is told.
    if (error instanceof Error && error.name === "NoSuchBucket") return;
    throw s3Error(error, { operation: "Giving up uploads below", uri, signal });
  }
}

/** One that is not there any more was ended by its own owner, who was faster. */
async function abortUpload(
  client: S3Client,
  upload: AbortMultipartUploadCommandInput,
  options: { readonly abortSignal?: AbortSignal },
): Promise<void> {
  try {
    await client.send(new AbortMultipartUploadCommand(upload), options);
  } catch (error) {
    if (statusOf(error) !== 404 || (error instanceof Error && error.name === "NoSuchBucket")) throw error;
  }
}

async function headOf(
  client: S3Client,
  { address, signal }: Abortable & { readonly address: S3Address },
): Promise<HeadObjectCommandOutput | undefined> {
  try {
    return await client.send(new HeadObjectCommand({ Bucket: address.bucket, Key: address.key }), {
      ...(signal && { abortSignal: signal }),
    });
  } catch (error) {
    // A bucket that is not there would look like one without the object, and be found out when everything is computed.
    const isKnown = statusOf(error) === 404 && knownBuckets(client).has(address.bucket);
    const reason = isKnown ? error : await reasonOf(client, { address, signal, refusal: error });
    if (!isAbsentObject(reason)) throw s3Error(reason, { operation: "Looking up", uri: s3Uri(address), signal });
    knownBuckets(client).add(address.bucket);
    return undefined;
  }
}

const known = new WeakMap<S3Client, Set<string>>();

/** Buckets that were seen to be there. */
function knownBuckets(client: S3Client): Set<string> {
  const buckets = known.get(client) ?? new Set();
  known.set(client, buckets);
  return buckets;
}

async function putConditionally(
  client: S3Client,
  request: {
    readonly address: S3Address;
    readonly put: PutOptions;
    readonly send: (input: PutInput) => Promise<void>;
  },
): Promise<"written" | "exists"> {
  const { address, send } = request;
  const { ifAbsent = false, contentType, signal } = request.put;
  const writer = randomUUID();
  const input: PutInput = {
    Bucket: address.bucket,
    Key: address.key,
    ...(contentType !== undefined && { ContentType: contentType }),
    ...(ifAbsent && { IfNoneMatch: "*", Metadata: { [writerTag]: writer } }),
  };
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      await send(input);
      return "written";
    } catch (error) {
      const status = statusOf(error);
      const completed = error instanceof Error && error.name === "NoSuchUpload";
      if (ifAbsent && (status === 412 || completed) && signal?.aborted !== true) {
        // The first answer may have been lost and the put repeated: then the object that exists is our own.
        const found = await headOf(client, { address, signal });
        if (found?.Metadata?.[writerTag] === writer) return "written";
        if (!completed) return "exists";
      }
      if (status !== 409 || attempt >= conflictAttempts) {
        throw s3Error(error, { operation: "Writing", uri: s3Uri(address), signal });
      }
      await pause(100 * 2 ** attempt * Math.random(), signal);
    }
  }
}

async function upload(
  client: S3Client,
  request: Abortable & { readonly input: PutInput; readonly path: string; readonly size: number },
): Promise<void> {
  const { input, path, size, signal } = request;
  if (size < minPartBytes) {
    // `Upload` gives an aborted request up, but does not end it: it would keep a process that stops alive.
    const put = new PutObjectCommand({ ...input, Body: await readFile(path) });
    await client.send(put, { ...(signal && { abortSignal: signal }) });
    return;
  }
  const controller = new AbortController();
  const leave = (): void => controller.abort();
  signal?.addEventListener("abort", leave, { once: true });
  const body = createReadStream(path);
  try {
    // On failure the parts that were sent are deleted: abandoned ones cost money.
    await new Upload({
      client,
      params: { ...input, Body: body },
      partSize: Math.max(minPartBytes, Math.ceil(size / maxParts)),
      leavePartsOnError: false,
      abortController: controller,
    }).done();
  } finally {
    signal?.removeEventListener("abort", leave);
    body.destroy();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT")
      throw fileError(error, { operation: "Reading", path, otherwise: "output-unwritable" });
    throw new SlidelightError("output-unwritable", `Uploading ${path} failed: there is no such file.`, {
      cause: error,
    });
  }
}

async function* listBucket(
  client: S3Client,
  request: Abortable & {
    readonly bucket: string;
    readonly base: string;
    readonly prefix: string;
    readonly after?: string;
    readonly uri: string;
  },
): AsyncGenerator<ObjectInfo> {
  const { bucket, base, prefix, after, uri, signal } = request;
  prefixFolder(prefix);
  let token: string | undefined;
  do {
    signal?.throwIfAborted();
    const page = await client
      .send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: base + prefix,
          ...(token === undefined ? after !== undefined && { StartAfter: base + after } : { ContinuationToken: token }),
        }),
        { ...(signal && { abortSignal: signal }) },
      )
      .catch((error: unknown) => {
        throw s3Error(error, { operation: "Listing", uri, signal });
      });
    for (const { Key: name = "", Size: size = 0, ETag: etag, LastModified: modified } of page.Contents ?? []) {
      const key = name.slice(base.length);
      // Keys that end in a slash are the folder marks of other programs.
      if (key === "" || key.endsWith("/") || (after !== undefined && compareKeys(key, after) <= 0)) continue;
      yield { key, size, etag: versionOf({ etag, size, modified }), modifiedMs: modified?.getTime() ?? 0 };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

import { createHash } from "node:crypto";
import { methodNames } from "@slidelight/core/request";
import { z } from "zod";
import { isFailureCode, mayPass } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { readPayload, version } from "./payload-versions.ts";
import type { PayloadVersions } from "./payload-versions.ts";

/** Names an engine as far as the last bits of what it makes depend on it. */
export const makerSchema = z.object({
  name: z.string(),
  provider: z.string(),
  version: z.string(),
  format: z.string(),
});

const triple = z.tuple([z.number(), z.number(), z.number()]).readonly();

/** What a run is asked for, as version 1 of all payloads says it. */
export const settingsVersion1 = z.strictObject({
  methods: z.tuple([z.enum(methodNames)], z.enum(methodNames)).readonly(),
  targets: z.tuple([z.string()], z.string()).readonly(),
  layer: z.string().exactOptional(),
  level: z.number().exactOptional(),
  micronsPerPixel: z.number().exactOptional(),
  tile: z.union([z.number(), z.literal("fastest")]).exactOptional(),
  tissue: z.enum(["auto", "off"]),
  raw: z.enum(["float16", "float32"]).exactOptional(),
  precision: z.enum(["float32", "bfloat16", "float16"]).exactOptional(),
  maxError: z.number().exactOptional(),
  tolerateBadTiles: z.boolean().exactOptional(),
  mean: triple.exactOptional(),
  std: triple.exactOptional(),
});

const version1 = z.strictObject({
  version: z.literal(1),
  /** `etag` and `bytes` are those of the listing; the worker reads what is there when it runs. */
  image: z.strictObject({ uri: z.string(), key: z.string(), etag: z.string(), bytes: z.number() }),
  model: z.strictObject({ uri: z.string(), sha256: z.string() }),
  out: z.string(),
  settings: settingsVersion1,
});

/** A job: one image, with everything that decides its results. */
export type ImageJob = Omit<z.output<typeof version1>, "version">;

/** Every version of an image's job that was ever written. */
export const imageJobVersions: PayloadVersions<ImageJob> = {
  1: version(version1, ({ version: _, ...job }) => job),
};

/** @throws {SlidelightError} `job-newer` for one of a later release, `job-invalid` naming what does not fit. */
export function parseImageJob(data: unknown): ImageJob {
  return readPayload(data, { noun: "an image's job", versions: imageJobVersions });
}

/** The payload of a job, in the oldest version that can say it: workers of older releases read that too. */
export function imageJobPayload(job: ImageJob): z.output<typeof version1> {
  return { version: 1, ...job };
}

/** How far a running job is. Releases read each other's: a key may be added, and none may change. */
export const imageJobProgressSchema = z.object({
  /** Tiles of all its sweeps. */
  done: z.number(),
  tiles: z.number(),
  /** Names the image's parts in the store. */
  work: z.string().exactOptional(),
  /** Who makes these parts. */
  maker: makerSchema.exactOptional(),
  /** How often the image was begun anew because nobody was there any more to go on with its parts. */
  anew: z.number().int().exactOptional(),
  runIds: z.array(z.string()).readonly().exactOptional(),
  /** The trace that the job goes on with, where its options carry none. */
  trace: z.string().exactOptional(),
});

export type ImageJobProgress = z.output<typeof imageJobProgressSchema>;

/** The first part of what is hashed: raised when the same job must be another one. */
const identityVersion = 1;

/**
 * Equal jobs have equal ids, in whichever version they are written: a queue refuses a `:` and ids that are all digits, so hexadecimal
 * behind a word.
 */
export function imageJobId(job: ImageJob): string {
  const { image, model, out, settings } = job;
  const identity = [identityVersion, image.uri, image.key, image.etag, image.bytes, model.sha256, out, settings];
  return `image-${createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 32)}`;
}

/** A queue keeps one text of a failure: the code goes in front of it. */
export function failedReason({ code, message }: Failure): string {
  return `[${code}] ${message}`;
}

/** What BullMQ writes when a job's lock was lost too often. */
const lost = "job stalled more than allowable limit";
const lostMessage = "Every worker that took it up was lost. Look for what ended them, such as too little memory.";

/** Whether BullMQ itself has failed a job, whose workers were all lost: no attempt tells of it. */
export function isOfLostWorkers(reason: string): boolean {
  return reason === lost;
}

/** What a queue says of a failed job. */
export function parseFailedReason(reason: string): Failure & { readonly retryable: boolean } {
  const [, code = "", message = reason] = /^\[([a-z-]+)\] (.*)$/su.exec(reason) ?? [];
  if (isFailureCode(code)) return { code, message, retryable: mayPass(code) };
  if (isOfLostWorkers(reason)) return { code: "worker-lost", message: lostMessage, retryable: true };
  return { code: "unexpected", message, retryable: true };
}

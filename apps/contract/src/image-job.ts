import { createHash } from "node:crypto";
import { isRetryable, methodNames, schemaFaults, SlidelightError, errorCodes } from "@slidelight/core";
import type { ErrorCode } from "@slidelight/core";
import { z } from "zod";
import type { Failure } from "./failure.ts";

const triple = z.tuple([z.number(), z.number(), z.number()]).readonly();

/** The payload of a job: one image, with everything that decides its results. */
export const imageJobSchema = z.strictObject({
  version: z.literal(1),
  /** `etag` and `bytes` are those of the listing; the worker reads what is there when it runs. */
  image: z.strictObject({ uri: z.string(), key: z.string(), etag: z.string(), bytes: z.number() }),
  model: z.strictObject({ uri: z.string(), sha256: z.string() }),
  out: z.string(),
  settings: z.strictObject({
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
  }),
});

export type ImageJob = z.output<typeof imageJobSchema>;

/** How far a running job is. */
export const imageJobProgressSchema = z.object({
  /** Tiles of all its sweeps. */
  done: z.number(),
  tiles: z.number(),
  /** Names the image's parts in the store. */
  work: z.string().exactOptional(),
  runIds: z.array(z.string()).readonly().exactOptional(),
  /** The trace that the job goes on with, where its options carry none. */
  trace: z.string().exactOptional(),
});

export type ImageJobProgress = z.output<typeof imageJobProgressSchema>;

/** @throws {SlidelightError} `job-invalid` naming what does not fit. */
export function parseImageJob(data: unknown): ImageJob {
  const parsed = imageJobSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new SlidelightError(
    "job-invalid",
    `Reading a job's payload: expected an image job of version 1, got faults in ${schemaFaults(parsed.error)}. Use producers and workers of the same release.`,
  );
}

/** Equal jobs have equal ids: a queue refuses a `:` and ids that are all digits, so hexadecimal behind a word. */
export function imageJobId(job: ImageJob): string {
  const { image, model, out, settings } = job;
  const identity = [job.version, image.uri, image.key, image.etag, image.bytes, model.sha256, out, settings];
  return `image-${createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 32)}`;
}

/** A queue keeps one text of a failure: the code goes in front of it. */
export function failedReason({ code, message }: Failure): string {
  return `[${code}] ${message}`;
}

/** What BullMQ writes when a job's lock was lost too often. */
const lost = "job stalled more than allowable limit";
const lostMessage = "Every worker that took it up was lost. Look for what ended them, such as too little memory.";

/** What a queue says of a failed job. */
export function parseFailedReason(reason: string): Failure & { readonly retryable: boolean } {
  const [, code = "", message = reason] = /^\[([a-z-]+)\] (.*)$/su.exec(reason) ?? [];
  if (isErrorCode(code)) return { code, message, retryable: isRetryable(code) };
  if (reason === lost) return { code: "worker-lost", message: lostMessage, retryable: true };
  return { code: "unexpected", message, retryable: true };
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

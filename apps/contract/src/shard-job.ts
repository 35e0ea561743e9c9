import { createHash } from "node:crypto";
import { z } from "zod";
import { imageJobPayload, makerSchema, parseImageJob } from "./image-job.ts";
import type { ImageJob } from "./image-job.ts";
import { readPayload, version } from "./payload-versions.ts";
import type { PayloadVersions } from "./payload-versions.ts";

const version1 = z.strictObject({
  version: z.literal(1),
  /** Of the image's job, which waits for this one. */
  imageJobId: z.string(),
  /** The image's own payload, of its own version. */
  image: z.unknown(),
  /** Who must compute it. */
  maker: makerSchema,
  /** Names the plan and with it the folder of its shards. */
  plan: z.string(),
  sweep: z.number().int(),
  shard: z.number().int(),
});

/** A shard's job: which part of which image, by the plan that rests in the store. */
export interface ShardJob extends Omit<z.output<typeof version1>, "version" | "image"> {
  readonly image: ImageJob;
}

/** Every version of a shard's job that was ever written. */
const shardJobVersions: PayloadVersions<ShardJob> = {
  1: version(version1, ({ version: _, image, ...shard }) => ({ ...shard, image: parseImageJob(image) })),
};

/** @throws {SlidelightError} `job-newer` for one of a later release, `job-invalid` naming what does not fit. */
export function parseShardJob(data: unknown): ShardJob {
  return readPayload(data, { noun: "a shard's job", versions: shardJobVersions });
}

/** The payload of a shard's job, in the oldest version that can say it. */
export function shardJobPayload({ image, ...shard }: ShardJob): z.output<typeof version1> {
  return { version: 1, ...shard, image: imageJobPayload(image) };
}

/** Equal parts of the same image's job have equal ids: added twice, they are there once. */
export function shardJobId({ imageJobId, plan, sweep, shard }: ShardJob): string {
  const parent = createHash("sha256").update(`${imageJobId}/${plan}`).digest("hex").slice(0, 32);
  return `shard-${parent}-${sweep}-${shard}`;
}

import { createHash } from "node:crypto";
import { schemaFaults, SlidelightError } from "@slidelight/core";
import { z } from "zod";
import { imageJobSchema } from "./image-job.ts";

/** The payload of a shard's job: which part of which image, by the plan that rests in the store. */
const shardJobSchema = z.strictObject({
  version: z.literal(1),
  /** Of the image's job, which waits for this one. */
  imageJobId: z.string(),
  image: imageJobSchema,
  /** Names the plan and with it the folder of its shards. */
  plan: z.string(),
  sweep: z.number().int(),
  shard: z.number().int(),
});

export type ShardJob = z.output<typeof shardJobSchema>;

/** @throws {SlidelightError} `job-invalid` naming what does not fit. */
export function parseShardJob(data: unknown): ShardJob {
  const parsed = shardJobSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new SlidelightError(
    "job-invalid",
    `Reading a job's payload: expected a shard job of version 1, got faults in ${schemaFaults(parsed.error)}. Use workers of the same release.`,
  );
}

/** Equal parts of the same image's job have equal ids: added twice, they are there once. */
export function shardJobId({ imageJobId, plan, sweep, shard }: ShardJob): string {
  const parent = createHash("sha256").update(`${imageJobId}/${plan}`).digest("hex").slice(0, 32);
  return `shard-${parent}-${sweep}-${shard}`;
}

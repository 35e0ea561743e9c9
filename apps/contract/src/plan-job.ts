import { schemaFaults, SlidelightError } from "@slidelight/core";
import { z } from "zod";
import { imageJobSchema } from "./image-job.ts";
import { priorityNames } from "./priority.ts";

/** Which images are to be explained, and how: what `enqueue` is told, and what a schedule keeps. */
const imageRequestSchema = z.strictObject({
  /** Where the command ran: images of files have their keys below it. */
  folder: z.string(),
  sources: z.tuple([z.string()], z.string()).readonly(),
  model: z.string(),
  out: z.string(),
  settings: imageJobSchema.shape.settings,
  /** Of the images' queue. */
  queue: z.string().exactOptional(),
  attempts: z.number().int(),
  extensions: z.array(z.string()).readonly(),
  priority: z.enum(priorityNames),
});

export type ImageRequest = z.output<typeof imageRequestSchema>;

/** The payload of a plan's job: what a schedule adds to the images' queue each time that it is due. */
export const planJobSchema = z.strictObject({
  version: z.literal(1),
  schedule: z.string(),
  images: imageRequestSchema,
});

export type PlanJob = z.output<typeof planJobSchema>;

/** @throws {SlidelightError} `job-invalid` naming what does not fit. */
export function parsePlanJob(data: unknown): PlanJob {
  const parsed = planJobSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new SlidelightError(
    "job-invalid",
    `Reading a plan's payload: expected a plan of version 1, got faults in ${schemaFaults(parsed.error)}. Use planners of the release that made the schedule, or schedule it again.`,
  );
}

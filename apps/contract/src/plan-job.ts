import { z } from "zod";
import { settingsVersion1 } from "./image-job.ts";
import { readPayload, version } from "./payload-versions.ts";
import type { PayloadVersions } from "./payload-versions.ts";
import { priorityNames } from "./priority.ts";

/** Which images are to be explained, and how: what `enqueue` is told, and what a schedule keeps. */
export const imageRequestSchema = z.strictObject({
  /** Where the command ran: images of files have their keys below it. */
  folder: z.string(),
  sources: z.tuple([z.string()], z.string()).readonly(),
  model: z.string(),
  out: z.string(),
  settings: settingsVersion1,
  /** Of the images' queue. */
  queue: z.string().exactOptional(),
  attempts: z.number().int(),
  extensions: z.array(z.string()).readonly(),
  priority: z.enum(priorityNames),
});

export type ImageRequest = z.output<typeof imageRequestSchema>;

const version1 = z.strictObject({
  version: z.literal(1),
  schedule: z.string(),
  images: imageRequestSchema,
});

/** A plan's job: what a schedule adds to the images' queue each time that it is due. */
export type PlanJob = Omit<z.output<typeof version1>, "version">;

/** Every version of a plan's job that was ever written, also into schedules. */
const planJobVersions: PayloadVersions<PlanJob> = {
  1: version(version1, ({ version: _, ...plan }) => plan),
};

/** @throws {SlidelightError} `job-newer` for one of a later release, `job-invalid` naming what does not fit. */
export function parsePlanJob(data: unknown): PlanJob {
  return readPayload(data, { noun: "a plan's job", versions: planJobVersions });
}

/** The payload of a plan's job, in the oldest version that can say it. */
export function planJobPayload(plan: PlanJob): z.output<typeof version1> {
  return { version: 1, ...plan };
}

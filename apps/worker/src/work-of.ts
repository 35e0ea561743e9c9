import { imageJobProgressSchema } from "@slidelight/contract";
import type { Job } from "bullmq";

/** Names the image's parts, once somebody has begun it. */
export function workOf({ progress }: Job): string | undefined {
  return imageJobProgressSchema.safeParse(progress).data?.work;
}

import { imageJobProgressSchema } from "@slidelight/contract";
import type { Job } from "bullmq";
import { z } from "zod";

/** Names the image's parts, once somebody has begun it. */
export function workOf({ progress }: Job): string | undefined {
  return imageJobProgressSchema.safeParse(progress).data?.work;
}

/** The runs that the image is asked for, once somebody has opened it. */
export function runIdsOf(progress: unknown): { readonly runIds?: readonly string[] } {
  const runIds = imageJobProgressSchema.safeParse(progress).data?.runIds;
  return runIds === undefined ? {} : { runIds };
}

const image = z.object({ image: z.object({ uri: z.string() }) });

/** The image of a payload, of whichever release it is. */
export function imageOf(payload: unknown): { readonly image?: string } {
  const uri = image.safeParse(payload).data?.image.uri;
  return uri === undefined ? {} : { image: uri };
}

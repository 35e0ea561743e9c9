import { imageJobProgressSchema } from "@slidelight/contract";
import type { WorkMaker } from "@slidelight/core";
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

/** What somebody has begun, as far as it is known who can go on with it. */
export interface BegunImage {
  readonly work: string;
  readonly maker: WorkMaker;
  /** How often the image was begun anew before. */
  readonly anew: number;
}

export function begunOf({ progress, attemptsStarted }: Job): BegunImage | undefined {
  const { work, maker, anew = 0 } = imageJobProgressSchema.safeParse(progress).data ?? {};
  // Of one that was put back after it had failed, what is counted is counted anew.
  return work === undefined || maker === undefined ? undefined : { work, maker, anew: attemptsStarted > 1 ? anew : 0 };
}

import type { Redis } from "ioredis";
import { z } from "zod";
import { noImages } from "./add-images.ts";

/** What a schedule's last run did. */
const outcomeSchema = z.object({
  /** `done`: images that could not be read are counted in `counts.unreadable`. `failed`: given up, see `error`. */
  status: z.enum(["done", "failed"]),
  startedAt: z.string(),
  finishedAt: z.string(),
  counts: z.record(z.string(), z.number()).transform((counts) => ({ ...noImages, ...counts })),
  error: z.object({ code: z.string(), message: z.string() }).exactOptional(),
});

export type PlanOutcome = z.output<typeof outcomeSchema>;

/** What is kept of a schedule besides what the queue keeps. */
export interface PlanRecord {
  readonly createdAt: string;
  readonly last?: PlanOutcome;
  /** When a run last reached its end. */
  readonly succeededAt?: string;
}

const key = (schedule: string): string => `slidelight:plan:${schedule}`;

/** Keeps when a schedule was first made: a plan that never ran is missed from then on. */
export async function recordCreation(redis: Redis, schedule: string): Promise<void> {
  await redis.hsetnx(key(schedule), "createdAt", new Date().toISOString());
}

export async function recordOutcome(
  redis: Redis,
  { schedule, outcome }: { readonly schedule: string; readonly outcome: PlanOutcome },
): Promise<void> {
  // One that was removed meanwhile leaves nothing behind.
  if ((await redis.hexists(key(schedule), "createdAt")) === 0) return;
  const succeeded = outcome.status === "done" ? { succeededAt: outcome.finishedAt } : {};
  await redis.hset(key(schedule), { last: JSON.stringify(outcome), ...succeeded });
}

export async function readRecord(redis: Redis, schedule: string): Promise<PlanRecord> {
  const { createdAt = new Date(0).toISOString(), last, succeededAt } = await redis.hgetall(key(schedule));
  const outcome = last === undefined ? undefined : outcomeSchema.safeParse(JSON.parse(last)).data;
  return {
    createdAt,
    ...(outcome === undefined ? {} : { last: outcome }),
    ...(succeededAt === undefined ? {} : { succeededAt }),
  };
}

export async function forgetRecord(redis: Redis, schedule: string): Promise<void> {
  await redis.unlink(key(schedule));
}

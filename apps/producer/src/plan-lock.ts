import { setInterval } from "node:timers/promises";
import type { Redis } from "ioredis";

export interface PlanLockOptions {
  readonly schedule: string;
  readonly jobId: string;
  readonly token: string;
  /** A planner that is killed holds a schedule up for no longer than this. */
  readonly lockMs: number;
}

const renewScript =
  'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return 0';
const releaseScript = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0';

export type PlanLock =
  /** `lost` is aborted when somebody else may hold it. */
  | ({ readonly kind: "held"; readonly lost: AbortSignal } & AsyncDisposable)
  /** `jobId` is that of the run that holds it. */
  | { readonly kind: "busy"; readonly jobId: string };

/**
 * Lets one run of a schedule go on at a time, whichever planners there are: a key that expires unless its holder renews it.
 * A queue's own limit (`setGlobalConcurrency`) would let one slow archive hold up the schedules of all others, and its lock of a job
 * knows nothing of another job of the same schedule.
 */
export async function takePlanLock(
  redis: Redis,
  { schedule, jobId, token, lockMs }: PlanLockOptions,
): Promise<PlanLock> {
  const key = `slidelight:plan:${schedule}:lock`;
  const owner = `${token} ${jobId}`;
  while ((await redis.set(key, owner, "PX", lockMs, "NX")) === null) {
    const holder = await redis.get(key);
    // Else it has expired just now.
    if (holder !== null) return { kind: "busy", jobId: holder.slice(holder.indexOf(" ") + 1) };
  }
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = renew(redis, { key, owner, lockMs, lost, signal: done.signal });
  return {
    kind: "held",
    lost: lost.signal,
    [Symbol.asyncDispose]: async () => {
      done.abort();
      await renewing;
      await redis.eval(releaseScript, 1, key, owner).catch(() => undefined);
    },
  };
}

async function renew(
  redis: Redis,
  {
    key,
    owner,
    lockMs,
    lost,
    signal,
  }: {
    readonly key: string;
    readonly owner: string;
    readonly lockMs: number;
    readonly lost: AbortController;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  try {
    for await (const _ of setInterval(lockMs / 3, undefined, { signal })) {
      if ((await redis.eval(renewScript, 1, key, owner, lockMs)) === 1) continue;
      lost.abort(
        new Error(
          "Another planner may have taken up the same schedule: this one was out of Redis's reach for too long.",
        ),
      );
      return;
    }
  } catch (error) {
    if (!signal.aborted) lost.abort(error);
  }
}

import { createHash } from "node:crypto";
import { describeMaker, isSameMaker } from "@slidelight/core";
import type { WorkMaker } from "@slidelight/core";
import type { Redis } from "ioredis";
import type { Logger } from "pino";

/** Which engines the workers of a queue compute with: who can go on with what another one has begun. */
export interface PresentMakers extends Disposable {
  /** This worker's own. */
  readonly own: WorkMaker;
  /** Whether a worker is there, or was a moment ago, whose parts fit those of this maker. */
  has(maker: WorkMaker): Promise<boolean>;
}

export interface PresentMakersOptions {
  readonly own: WorkMaker;
  /** The name of the queue that the workers share. */
  readonly queue: string;
  /** Told in the key, for people. */
  readonly worker: string;
  /** After which a worker that says nothing is taken for gone: as long as its locks last. */
  readonly goneMs: number;
  readonly log: Logger;
}

/**
 * Announces this worker's engine by a key that expires, which all workers with the same one share and renew: Redis's clock is the
 * only one that counts, and a worker that is killed needs nobody to clean up after it.
 */
export async function openPresentMakers(
  redis: Redis,
  { own, queue, worker, goneMs, log }: PresentMakersOptions,
): Promise<PresentMakers> {
  const keyOf = (maker: WorkMaker): string =>
    `slidelight:maker:${queue}:${createHash("sha256").update(describeMaker(maker)).digest("hex").slice(0, 16)}`;
  const announce = async (): Promise<void> => {
    await redis.set(keyOf(own), `${describeMaker(own)}, last ${worker}`, "PX", Math.ceil(goneMs));
  };
  await announce();
  const timer = setInterval(() => {
    // While Redis is away commands pile up and are sent together.
    if (redis.status !== "ready") return;
    announce().catch((error: unknown) => log.debug({ err: error }, "engine not announced"));
  }, goneMs / 3);
  return {
    own,
    has: async (maker) => isSameMaker(maker, own) || (await redis.exists(keyOf(maker))) === 1,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

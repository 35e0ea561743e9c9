import { setTimeout as pause } from "node:timers/promises";

/** Jobs of both queues by state; `undefined` where Redis did not answer. */
export type AskCounts = () => Promise<readonly Readonly<Record<string, number>>[] | undefined>;

/** What a worker is needed for: a delayed job comes back only if some worker is there to take it. */
export const undone = ["wait", "prioritized", "active", "delayed", "waiting-children"] as const;

const pollMs = 1000;

export interface IdleOptions {
  /** How long nothing must have been left to do. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/**
 * Resolves once nothing has been left to do for so long, by anybody: a job that another worker holds may come back, should that
 * worker be lost. What is not known is no idleness. Resolves as well when the signal aborts.
 */
export async function idleFor(counts: AskCounts, { seconds, signal }: IdleOptions): Promise<void> {
  let sinceMs = performance.now();
  while (!signal.aborted) {
    const queues = await counts();
    const idle = queues?.every((queue) => undone.every((state) => (queue[state] ?? 0) === 0)) ?? false;
    const nowMs = performance.now();
    if (!idle) sinceMs = nowMs;
    else if (nowMs - sinceMs >= seconds * 1000) return;
    await pause(Math.min(pollMs, seconds * 1000), undefined, { signal }).catch(() => undefined);
  }
}

/** How a failure that may pass is tried again, of images and of shards. */
export const retryPolicy = {
  /** Tries of a job when nothing else is said: over four minutes in all, which a store needs to come back. */
  attempts: 8,
  /** Doubles from try to try; jobs that failed together, because a store was down, come back spread out. */
  backoff: { type: "exponential", delay: 2000, jitter: 0.5 },
} as const;

/** A week and a month, and never so many that they fill Redis: the store is the ledger. */
export const keptJobs = {
  done: { age: 7 * 86_400, count: 10_000 },
  failed: { age: 30 * 86_400, count: 100_000 },
} as const;

import type { S3ClientConfig } from "@aws-sdk/client-s3";

type RetryStrategy = Extract<
  NonNullable<S3ClientConfig["retryStrategy"]>,
  { readonly acquireInitialRetryToken: unknown }
>;
type RetryToken = Awaited<ReturnType<RetryStrategy["acquireInitialRetryToken"]>>;

/** `throttled`: the server asked for less. `failed`: no answer, or one that tells of a fault of the server. */
export type RetryReason = "throttled" | "failed";

const reasons = { TRANSIENT: "failed", THROTTLING: "throttled" } as const satisfies Readonly<
  Record<string, RetryReason>
>;

/** Longest pause before a first repetition; doubled for each further one. */
const firstPauseMs = { TRANSIENT: 100, THROTTLING: 500 } as const;
const longestPauseMs = 20_000;

/**
 * Repeats a request whose failure may pass, so many times in all. The SDK's own strategy has a quota of 35 repetitions for a
 * client, of which a request that succeeded in the end gives back one: a store that is often busy uses it up, and then nothing
 * is repeated any more. The quota protects stores from crowds of clients; a worker has few requests under way.
 */
export function repeating(attempts: number, onRetry?: (reason: RetryReason) => void): RetryStrategy {
  return {
    acquireInitialRetryToken: () => Promise.resolve(tokenOf(0, 0)),
    refreshRetryTokenForRetry: (token, { errorType, retryAfterHint }) => {
      const repetition = token.getRetryCount() + 1;
      const mayPass = errorType === "TRANSIENT" || errorType === "THROTTLING";
      // What is thrown here is not seen: the request fails with its own error.
      if (!mayPass || repetition >= attempts) return Promise.reject(new Error("No try is left."));
      onRetry?.(reasons[errorType]);
      const asked = retryAfterHint === undefined ? 0 : retryAfterHint.getTime() - Date.now();
      const longest = Math.min(longestPauseMs, firstPauseMs[errorType] * 2 ** (repetition - 1));
      const pauseMs = Math.max(Math.min(asked, longestPauseMs), longest * Math.random());
      return Promise.resolve(tokenOf(repetition, pauseMs));
    },
    recordSuccess: () => undefined,
  };
}

function tokenOf(repetition: number, pauseMs: number): RetryToken {
  return {
    getRetryCount: () => repetition,
    getRetryDelay: () => pauseMs,
  };
}

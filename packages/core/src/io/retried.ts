import { setTimeout as sleep } from "node:timers/promises";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { ByteSource } from "./byte-source.ts";

/**
 * Reads again, with growing pauses, when the store was unavailable. Other failures are final at once.
 * @param options.attempts tries in all (4)
 * @param options.firstPauseMs pause before the second try (200); doubled for each further one, with jitter
 */
export function retried(
  source: ByteSource,
  { attempts = 4, firstPauseMs = 200 }: { readonly attempts?: number; readonly firstPauseMs?: number } = {},
): ByteSource {
  return {
    uri: source.uri,
    size: source.size,
    etag: source.etag,
    read: async (range, options = {}) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await source.read(range, options);
        } catch (error) {
          const mayPass = error instanceof SlidelightError && error.code === "store-unavailable";
          if (!mayPass || attempt >= attempts) throw error;
          await pause(firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random()), options.signal);
        }
      }
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** Waits; an abort throws the signal's own reason. */
export async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

import { setTimeout as pause } from "node:timers/promises";

/** What is asked for; `undefined` when it fails or takes too long. */
export async function within<T>(timeoutMs: number, asked: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  try {
    return await Promise.race([asked.catch(() => undefined), pause(timeoutMs, undefined, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

/** Resolves once the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

import { setImmediate } from "node:timers/promises";
import type { Abortable } from "../io/byte-source.ts";

/** Work on programs that is done one after the other, in the order in which it was asked for. */
export interface SerialQueue extends AsyncDisposable {
  /**
   * When the signal aborts, work that waits is withdrawn; work that was begun goes on, and its result is dropped.
   * @throws The signal's reason, at once; what the work throws; what `closed` makes once the queue is closed.
   */
  ask<T>(work: () => Promise<T>, options: QueueOptions): Promise<T>;
}

export interface QueueOptions extends Abortable {
  /** The failure of work that was not begun when the queue was closed. */
  readonly closed: () => Error;
  /** What it works on, if it is one program. */
  readonly program?: number;
  /** Whether it goes before what waits to be done on other programs: what is given back is there for the next one. Default: false. */
  readonly early?: boolean;
}

interface Waiting {
  readonly program: number | undefined;
  readonly begin: () => Promise<void>;
}

/** Closing waits for the work that was begun. */
export function openSerialQueue(): SerialQueue {
  const waiting: Waiting[] = [];
  let working: Promise<void> | undefined;
  let isClosed = false;
  const goOn = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await next.begin();
      // Whoever waited for it may give its program back before another one takes as much memory.
      if (waiting[0] !== undefined && waiting[0].program !== next.program) await setImmediate();
    }
    working = undefined;
  };
  return {
    ask: (work, { signal, closed, program, early = false }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        if (isClosed) {
          reject(closed());
          return;
        }
        const withdraw = (): void => reject(signal?.reason);
        signal?.addEventListener("abort", withdraw, { once: true });
        const begin = async (): Promise<void> => {
          try {
            if (signal?.aborted === true) return;
            if (isClosed) reject(closed());
            else resolve(await work());
          } catch (error) {
            reject(error);
          } finally {
            signal?.removeEventListener("abort", withdraw);
          }
        };
        const place = early ? waiting.findLastIndex((other) => other.program === program) + 1 : waiting.length;
        waiting.splice(place, 0, { program, begin });
        working ??= goOn();
      }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await working;
    },
  };
}

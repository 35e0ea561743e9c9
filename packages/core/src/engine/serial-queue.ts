import type { Abortable } from "../io/byte-source.ts";

/** Work that is done one after the other, in the order in which it was asked for. */
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
}

/** Closing waits for the work that was begun. */
export function openSerialQueue(): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  return {
    ask: (work, { signal, closed }) =>
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
        tail = tail.then(async () => {
          try {
            if (signal?.aborted === true) return;
            if (isClosed) reject(closed());
            else resolve(await work());
          } catch (error) {
            reject(error);
          } finally {
            signal?.removeEventListener("abort", withdraw);
          }
        });
      }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await tail;
    },
  };
}

import { setImmediate } from "node:timers/promises";
import type { Abortable } from "../io/byte-source.ts";

/** Work on programs that is begun in the order in which it was asked for. */
export interface ProgramQueue extends AsyncDisposable {
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
  /** Asked before it begins: whether it takes memory that its program does not hold yet. Then whoever waited for the work before may give a program back first. */
  readonly takesMemory?: () => boolean;
}

interface Waiting {
  readonly program: number | undefined;
  readonly takesMemory: () => boolean;
  readonly begin: () => Promise<void>;
}

/**
 * Closing waits for the work that was begun.
 * @param options.atOnce how much is under way at a time. Default: 1, one after the other
 */
export function openProgramQueue({ atOnce = 1 }: { readonly atOnce?: number } = {}): ProgramQueue {
  const waiting: Waiting[] = [];
  const loops = new Set<Promise<void>>();
  let going = 0;
  let isClosed = false;
  const goOn = async (): Promise<void> => {
    // Not before this turn ends: a queue that is closed in it begins nothing.
    await Promise.resolve();
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await next.begin();
      if (waiting[0]?.takesMemory() === true) await setImmediate();
    }
    going -= 1;
  };
  const start = (): void => {
    going += 1;
    const loop = goOn();
    loops.add(loop);
    void loop.then(() => loops.delete(loop));
  };
  return {
    ask: (work, { signal, closed, program, early = false, takesMemory = () => false }) =>
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
        waiting.splice(place, 0, { program, takesMemory, begin });
        if (going < atOnce) start();
      }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await Promise.all(loops);
    },
  };
}

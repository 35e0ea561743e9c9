import type { Abortable } from "./byte-source.ts";

/** One piece of work that several callers wait for. */
export interface SharedWork<T> {
  /** The result; when the caller's own signal aborts, its reason, while the work goes on for the others. */
  join(options?: Abortable): Promise<T>;
  /** Whether all callers have left and the work was aborted: a new caller has to start it again. */
  readonly abandoned: boolean;
}

/** Starts work at once; it is aborted only when every caller that joined has left. */
export function shareWork<T>(start: (signal: AbortSignal) => Promise<T>): SharedWork<T> {
  const controller = new AbortController();
  const work = start(controller.signal);
  // Failures reach the callers; when all have left, nobody is there to see one.
  work.catch(() => undefined);
  let callers = 0;
  return {
    join: ({ signal } = {}) => {
      callers += 1;
      if (signal === undefined) return work;
      return new Promise<T>((resolve, reject) => {
        const leave = (): void => {
          callers -= 1;
          reject(signal.reason);
          if (callers === 0) controller.abort(signal.reason);
        };
        if (signal.aborted) return leave();
        signal.addEventListener("abort", leave, { once: true });
        void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
      });
    },
    get abandoned() {
      return controller.signal.aborted;
    },
  };
}

import type { Abortable } from "./byte-source.ts";

/** What is asked of another thread, by number, until its answers come. */
export interface Calls<Answer> {
  /**
   * Sends a question with a number of its own, and waits for the answer.
   * @throws What `fail` or `failAll` says, or sending; the signal's reason, once `withdraw` was told.
   */
  ask(send: (id: number) => void, options: Abortable & { readonly withdraw: (id: number) => void }): Promise<Answer>;
  answer(id: number, answer: Answer): void;
  fail(id: number, error: Error): void;
  /** Nobody is there to answer: what was asked fails, and what will be. */
  failAll(error: Error): void;
}

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

export function openCalls<Answer>(): Calls<Answer> {
  const waiting = new Map<number, Waiting<Answer>>();
  let last = 0;
  let fault: Error | undefined;
  return {
    ask: (send, { signal, withdraw }) =>
      new Promise<Answer>((resolve, reject) => {
        if (fault !== undefined) return reject(fault);
        if (signal?.aborted === true) return reject(signal.reason);
        last += 1;
        const id = last;
        const done = (): void => {
          waiting.delete(id);
          signal?.removeEventListener("abort", aborted);
        };
        const aborted = (): void => {
          done();
          withdraw(id);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", aborted);
        waiting.set(id, {
          resolve: (answer) => {
            done();
            resolve(answer);
          },
          reject: (reason) => {
            done();
            reject(reason);
          },
        });
        try {
          send(id);
        } catch (error) {
          waiting.get(id)?.reject(error);
        }
      }),
    answer: (id, answer) => waiting.get(id)?.resolve(answer),
    fail: (id, error) => waiting.get(id)?.reject(error),
    failAll: (error) => {
      fault ??= error;
      for (const { reject } of waiting.values()) reject(error);
    },
  };
}

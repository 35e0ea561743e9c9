import { describe, expect, it } from "vitest";
import { openProgramQueue } from "./program-queue.ts";
import type { QueueOptions } from "./program-queue.ts";

const closed = (): Error => new Error("closed");

/** A queue, what it did in which order, and work that ends when it is told to. */
function observed(options: Parameters<typeof openProgramQueue>[0] = {}) {
  const queue = openProgramQueue(options);
  const done: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (name: string, options: Partial<QueueOptions> = {}): Promise<string> =>
    queue.ask(
      async () => {
        done.push(name);
        await new Promise<void>((resolve) => ends.push(resolve));
        return name;
      },
      { closed, ...options },
    );
  /** Ends what is done now and what will be. */
  const flush = async (work: readonly Promise<unknown>[]): Promise<void> => {
    const all = Promise.allSettled(work);
    let open = true;
    void all.then(() => (open = false));
    while (open) {
      ends.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { queue, done, ask, flush };
}

describe("a queue of work on programs", () => {
  it("does one after the other, in the order in which it was asked", async () => {
    const { done, ask, flush } = observed();
    const work = [ask("a"), ask("b"), ask("c")];
    await new Promise(setImmediate);
    expect(done).toEqual(["a"]);
    await flush(work);
    expect(done).toEqual(["a", "b", "c"]);
    await expect(Promise.all(work)).resolves.toEqual(["a", "b", "c"]);
  });

  it("has as much under way as it was told, begun in the order in which it was asked", async () => {
    const { queue, done, ask, flush } = observed({ atOnce: 2 });
    const first = [ask("a"), ask("b"), ask("c")];
    await new Promise(setImmediate);
    expect(done).toEqual(["a", "b"]);
    await flush(first);
    // Both places are free again.
    const second = [ask("d"), ask("e"), ask("f")];
    await new Promise(setImmediate);
    expect(done).toEqual(["a", "b", "c", "d", "e"]);
    const close = async (): Promise<void> => queue[Symbol.asyncDispose]();
    await flush([...second, close()]);
    expect((await Promise.allSettled(second)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
    ]);
  });

  it("does early work before what waits for other programs, and after what waits for its own", async () => {
    const { done, ask, flush } = observed();
    await flush([
      ask("run 1", { program: 1 }),
      ask("run 2", { program: 2 }),
      ask("run 1 again", { program: 1 }),
      ask("run 3", { program: 3 }),
      ask("forget 4", { program: 4, early: true }),
      ask("forget 1", { program: 1, early: true }),
    ]);
    expect(done).toEqual(["forget 4", "run 1", "run 2", "run 1 again", "forget 1", "run 3"]);
  });

  it("lets whoever waited for work give its program back before another one takes memory", async () => {
    const { done, ask, flush } = observed();
    const run = async (): Promise<void> => {
      await ask("run 1", { program: 1 });
      await ask("forget 1", { program: 1, early: true });
    };
    await flush([run(), ask("run 2", { program: 2, takesMemory: () => true })]);
    expect(done).toEqual(["run 1", "forget 1", "run 2"]);
  });

  it("withdraws what waits when its signal aborts, and fails what waits when it is closed", async () => {
    const { queue, done, ask, flush } = observed();
    const controller = new AbortController();
    const first = ask("a");
    const withdrawn = ask("b", { signal: controller.signal });
    const waits = expect(ask("c")).rejects.toThrow("closed");
    await new Promise(setImmediate);
    controller.abort(new Error("enough"));
    await expect(withdrawn).rejects.toThrow("enough");
    const close = async (): Promise<void> => queue[Symbol.asyncDispose]();
    await flush([first, close()]);
    await expect(first).resolves.toBe("a");
    await waits;
    await expect(ask("d")).rejects.toThrow("closed");
    expect(done).toEqual(["a"]);
  });

  it("begins nothing that was asked for in the turn in which it is closed", async () => {
    const { queue, done, ask } = observed();
    const asked = expect(ask("a")).rejects.toThrow("closed");
    await queue[Symbol.asyncDispose]();
    await asked;
    expect(done).toEqual([]);
  });
});

import type { WarmLimits } from "./memory.ts";

/** What a pool needs to know of a model to decide how long it keeps the working memory. */
export interface PooledModel {
  /** Whether it should stay longer than others. */
  readonly frequent: boolean;
  /** What a run takes, and what the opened model then keeps until it is closed. */
  readonly workingBytes: number;
}

export interface PoolOptions<Model, Opened> {
  readonly warm: WarmLimits;
  /** Bytes that may be taken yet; less than 0 where some should be given back. */
  spareBytes(): number;
  /** Models that are open at once: also one that did not run yet holds the weights, in two layouts. */
  readonly limit: number;
  open(model: Model): Promise<Opened>;
  close(opened: Opened): Promise<void>;
}

/** Models of an engine by program; those that are closed for lack of memory are opened again when they are used. */
export interface WarmPool<Model, Opened> extends AsyncDisposable {
  /** Opens a model. May overlap with everything else. */
  add(program: number, model: Model): Promise<void>;
  /** Begins to open a model that was closed and will be used soon. */
  prepare(program: number): void;
  /** Whether the program holds working memory. */
  holds(program: number): boolean;
  /** Works with the program's opened model; others are closed to make room. One at a time. */
  use<T>(program: number, work: (opened: Opened) => Promise<T>): Promise<T>;
  remove(program: number): Promise<void>;
}

interface Entry<Model, Opened> {
  readonly model: Model;
  opened: Promise<Opened> | undefined;
  /** Whether it ran, so that it holds working memory. */
  warm: boolean;
}

/**
 * Models that ran keep their working memory as far as `warm` and what can be spared allow, the one that runs included. The next to
 * go is the infrequent one that was used least recently: a program of border tiles must not push out that of the tiles between them.
 */
export function openWarmPool<Model extends PooledModel, Opened>(
  options: PoolOptions<Model, Opened>,
): WarmPool<Model, Opened> {
  // In the order of last use: a program that is used moves to the end.
  const entries = new Map<number, Entry<Model, Opened>>();
  const closing = new Set<Promise<void>>();
  let running: Entry<Model, Opened> | undefined;

  const openEntry = (entry: Entry<Model, Opened>): Promise<Opened> => {
    entry.opened ??= options.open(entry.model);
    return entry.opened;
  };

  const release = async (entry: Entry<Model, Opened>): Promise<void> => {
    const { opened } = entry;
    entry.opened = undefined;
    entry.warm = false;
    // One that could not be opened has nothing to close.
    const model = await opened?.then(
      (value) => ({ value }),
      () => undefined,
    );
    if (model !== undefined) await options.close(model.value);
  };

  /** Nobody waits for what goes; `closing` keeps it for the end. */
  const letGo = (entry: Entry<Model, Opened>): void => {
    const gone: Promise<void> = release(entry).finally(() => closing.delete(gone));
    closing.add(gone);
  };

  /** What others, which hold `bytes`, may go on holding while this one runs. */
  const allowedBytes = (bytes: number, beside: Entry<Model, Opened>): number => {
    const { leastBytes, mostBytes } = options.warm;
    const { workingBytes } = beside.model;
    const spare = bytes + options.spareBytes() - (workingBytes - heldBy(beside));
    return Math.max(leastBytes, Math.min(mostBytes - workingBytes, spare));
  };

  const makeRoom = (beside: Entry<Model, Opened>): void => {
    const others = [...entries.values()].filter(
      (entry) => entry !== beside && entry !== running && entry.opened !== undefined,
    );
    const leaving = [...others.filter(({ model }) => !model.frequent), ...others.filter(({ model }) => model.frequent)];
    let bytes = others.reduce((sum, entry) => sum + heldBy(entry), 0);
    const allowed = allowedBytes(bytes, beside);
    let open = others.length;
    for (const entry of leaving) {
      const relieves = (entry.warm && bytes > allowed) || open >= options.limit;
      if (!relieves) continue;
      bytes -= heldBy(entry);
      open -= 1;
      letGo(entry);
    }
  };

  return {
    add: async (program, model) => {
      const entry: Entry<Model, Opened> = { model, opened: undefined, warm: false };
      entries.set(program, entry);
      try {
        makeRoom(entry);
        await openEntry(entry);
      } catch (error) {
        entries.delete(program);
        throw error;
      }
    },
    prepare: (program) => {
      const entry = entries.get(program);
      // Whoever uses it meets the failure.
      if (entry !== undefined) openEntry(entry).catch(() => undefined);
    },
    holds: (program) => entries.get(program)?.warm === true,
    use: async (program, work) => {
      const entry = entries.get(program);
      if (entry === undefined) throw new RangeError(`There is no program ${program}.`);
      entries.delete(program);
      entries.set(program, entry);
      running = entry;
      try {
        makeRoom(entry);
        const opened = await openEntry(entry);
        entry.warm = true;
        return await work(opened);
      } finally {
        running = undefined;
      }
    },
    remove: async (program) => {
      const entry = entries.get(program);
      entries.delete(program);
      if (entry !== undefined) await release(entry);
    },
    [Symbol.asyncDispose]: async () => {
      const all = [...entries.values()];
      entries.clear();
      for (const entry of all) letGo(entry);
      await Promise.all(closing);
    },
  };
}

function heldBy({ warm, model }: { readonly warm: boolean; readonly model: PooledModel }): number {
  return warm ? model.workingBytes : 0;
}

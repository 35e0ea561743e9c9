import type { WarmLimits } from "./memory.ts";

/** What a pool needs to know of a program to decide how long it keeps the working memory of its model. */
export interface PooledModel {
  /** Equal for programs that one opened model serves; by default each has its own. */
  readonly key?: string;
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
  /** Opens a program's model, unless that of another program serves it. May overlap with everything else. */
  add(program: number, model: Model): Promise<void>;
  /** Begins to open a model that was closed and will be used soon. */
  prepare(program: number): void;
  /** Whether the program's model holds the working memory that a run takes. */
  holds(program: number): boolean;
  /** Works with the program's opened model; others are closed to make room. One at a time. */
  use<T>(program: number, work: (opened: Opened) => Promise<T>): Promise<T>;
  /** Closes the program's model, unless others need it. */
  remove(program: number): Promise<void>;
}

interface Entry<Opened> {
  opened: Promise<Opened> | undefined;
  /** Programs that it serves. */
  programs: number;
  /** Of the program that used it last. */
  frequent: boolean;
  /** Working memory: that of the largest run since it was opened. */
  heldBytes: number;
}

/**
 * Models that ran keep their working memory as far as `warm` and what can be spared allow, the one that runs included. The next to
 * go is the infrequent one that was used least recently: a program of border tiles must not push out that of the tiles between them.
 */
export function openWarmPool<Model extends PooledModel, Opened>(
  options: PoolOptions<Model, Opened>,
): WarmPool<Model, Opened> {
  const programs = new Map<number, { readonly model: Model; readonly key: string; readonly entry: Entry<Opened> }>();
  // In the order of last use: one that is used moves to the end.
  const entries = new Map<string, Entry<Opened>>();
  const closing = new Set<Promise<void>>();
  let running: Entry<Opened> | undefined;
  let closed = false;

  const openEntry = (entry: Entry<Opened>, model: Model): Promise<Opened> => {
    if (entry.opened !== undefined) return entry.opened;
    // What models are opened with may be gone.
    if (closed) return Promise.reject(new Error("the engine was closed"));
    const opened = options.open(model);
    entry.opened = opened;
    // Whoever waits meets the failure. It may be one that passes, and whoever comes next tries again.
    opened.catch(() => {
      if (entry.opened === opened) entry.opened = undefined;
    });
    return opened;
  };

  const release = async (entry: Entry<Opened>): Promise<void> => {
    const { opened } = entry;
    entry.opened = undefined;
    entry.heldBytes = 0;
    // One that could not be opened has nothing to close.
    const model = await opened?.then(
      (value) => ({ value }),
      () => undefined,
    );
    if (model !== undefined) await options.close(model.value);
  };

  /** Nobody waits for what goes; `closing` keeps it for the end. */
  const letGo = (entry: Entry<Opened>): void => {
    const gone: Promise<void> = release(entry).finally(() => closing.delete(gone));
    closing.add(gone);
    // What can't be closed is no fault of the program that needs its place.
    gone.catch(() => undefined);
  };

  /** What others, which hold `bytes`, may go on holding while this one runs with so much. */
  const allowedBytes = (bytes: number, { heldBytes }: Entry<Opened>, { workingBytes }: Model): number => {
    const { leastBytes, mostBytes } = options.warm;
    const taken = Math.max(heldBytes, workingBytes);
    const spare = bytes + options.spareBytes() - (taken - heldBytes);
    return Math.max(leastBytes, Math.min(mostBytes - taken, spare));
  };

  const makeRoom = (beside: Entry<Opened>, model: Model): void => {
    const others = [...entries.values()].filter(
      (entry) => entry !== beside && entry !== running && entry.opened !== undefined,
    );
    const leaving = [...others.filter(({ frequent }) => !frequent), ...others.filter(({ frequent }) => frequent)];
    let bytes = others.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    const allowed = allowedBytes(bytes, beside, model);
    let open = others.length;
    for (const entry of leaving) {
      const relieves = (entry.heldBytes > 0 && bytes > allowed) || open >= options.limit;
      if (!relieves) continue;
      bytes -= entry.heldBytes;
      open -= 1;
      letGo(entry);
    }
  };

  /** Takes a program away, and gives what served it alone. */
  const forget = (program: number): Entry<Opened> | undefined => {
    const known = programs.get(program);
    if (known === undefined) return undefined;
    programs.delete(program);
    known.entry.programs -= 1;
    if (known.entry.programs > 0) return undefined;
    entries.delete(known.key);
    return known.entry;
  };

  return {
    add: async (program, model) => {
      const { key = `${program}`, frequent } = model;
      const entry = entries.get(key) ?? { opened: undefined, programs: 0, frequent, heldBytes: 0 };
      entry.programs += 1;
      entries.set(key, entry);
      programs.set(program, { model, key, entry });
      try {
        if (entry.opened === undefined) makeRoom(entry, model);
        await openEntry(entry, model);
      } catch (error) {
        forget(program);
        throw error;
      }
    },
    prepare: (program) => {
      const known = programs.get(program);
      // Whoever uses it meets the failure.
      if (known !== undefined) openEntry(known.entry, known.model).catch(() => undefined);
    },
    holds: (program) => {
      const known = programs.get(program);
      return known !== undefined && known.entry.heldBytes > 0 && known.entry.heldBytes >= known.model.workingBytes;
    },
    use: async (program, work) => {
      const known = programs.get(program);
      if (known === undefined) throw new RangeError("the program was disposed of");
      const { entry, model, key } = known;
      entries.delete(key);
      entries.set(key, entry);
      entry.frequent = model.frequent;
      running = entry;
      try {
        makeRoom(entry, model);
        const opened = await openEntry(entry, model);
        entry.heldBytes = Math.max(entry.heldBytes, model.workingBytes);
        return await work(opened);
      } finally {
        running = undefined;
      }
    },
    remove: async (program) => {
      const entry = forget(program);
      if (entry !== undefined) await release(entry);
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      const all = [...entries.values()];
      entries.clear();
      programs.clear();
      for (const entry of all) letGo(entry);
      await Promise.all(closing);
    },
  };
}

/** What a pool needs to know of a model to decide how long it keeps the working memory. */
export interface PooledModel {
  /** Whether it should stay longer than others. */
  readonly frequent: boolean;
  /** What a run takes, and what the opened model then keeps until it is closed. */
  readonly workingBytes: number;
}

export interface PoolOptions<Model, Opened> {
  /** Bytes that models which ran may keep beside the one that runs. */
  readonly warmBytes: number;
  /** Models that are open at once: also one that did not run yet holds the weights, in two layouts. */
  readonly limit: number;
  open(model: Model): Promise<Opened>;
  close(opened: Opened): Promise<void>;
}

interface Entry<Model, Opened> {
  readonly model: Model;
  opened: Opened | undefined;
  /** Whether it ran, so that it holds working memory. */
  warm: boolean;
}

/** Models of an engine by program; those that are closed for lack of memory are opened again when they are used. */
export interface WarmPool<Model, Opened> extends AsyncDisposable {
  add(program: number, model: Model): Promise<void>;
  /** The program's opened model, about to run: others are closed to make room. */
  use(program: number): Promise<Opened>;
  remove(program: number): Promise<void>;
}

/**
 * Models that ran keep their working memory as long as the others of them hold at most `warmBytes`. The next to go is
 * the infrequent one that was used least recently: a program of border tiles must not push out that of the tiles
 * between them. Its calls must not overlap.
 */
export function openWarmPool<Model extends PooledModel, Opened>(
  options: PoolOptions<Model, Opened>,
): WarmPool<Model, Opened> {
  // In the order of last use: a program that is used moves to the end.
  const entries = new Map<number, Entry<Model, Opened>>();

  const release = async (entry: Entry<Model, Opened>): Promise<void> => {
    const { opened } = entry;
    entry.opened = undefined;
    entry.warm = false;
    if (opened !== undefined) await options.close(opened);
  };

  const makeRoom = async (beside: Entry<Model, Opened>): Promise<void> => {
    const others = [...entries.values()].filter((entry) => entry !== beside && entry.opened !== undefined);
    const leaving = [...others.filter(({ model }) => !model.frequent), ...others.filter(({ model }) => model.frequent)];
    let bytes = others.reduce((sum, { warm, model }) => sum + (warm ? model.workingBytes : 0), 0);
    let open = others.length;
    for (const entry of leaving) {
      const relieves = (entry.warm && bytes > options.warmBytes) || open >= options.limit;
      if (!relieves) continue;
      bytes -= entry.warm ? entry.model.workingBytes : 0;
      open -= 1;
      await release(entry);
    }
  };

  const openEntry = async (entry: Entry<Model, Opened>): Promise<Opened> => {
    await makeRoom(entry);
    entry.opened ??= await options.open(entry.model);
    return entry.opened;
  };

  return {
    add: async (program, model) => {
      const entry: Entry<Model, Opened> = { model, opened: undefined, warm: false };
      await openEntry(entry);
      entries.set(program, entry);
    },
    use: async (program) => {
      const entry = entries.get(program);
      if (entry === undefined) throw new RangeError(`There is no program ${program}.`);
      entries.delete(program);
      entries.set(program, entry);
      const opened = await openEntry(entry);
      entry.warm = true;
      return opened;
    },
    remove: async (program) => {
      const entry = entries.get(program);
      entries.delete(program);
      if (entry !== undefined) await release(entry);
    },
    [Symbol.asyncDispose]: async () => {
      for (const entry of entries.values()) await release(entry);
      entries.clear();
    },
  };
}

import { InferenceSession } from "onnxruntime-node";

/** Compiled programs that did not run yet: they hold weights, but no working memory. */
const coldLimit = 8;

interface Entry {
  /** An ONNX model, kept to compile it again. */
  readonly bytes: Uint8Array;
  readonly frequent: boolean;
  session: InferenceSession | undefined;
  /** Whether the session ran, so that it holds working memory. */
  warm: boolean;
}

/** ONNX Runtime's sessions by program; a session keeps the memory of its largest run until it is released. */
export interface SessionPool extends AsyncDisposable {
  add(program: number, model: { readonly bytes: Uint8Array; readonly frequent: boolean }): Promise<void>;
  /** The program's session, about to run: others are released to make room, and it is compiled again where it was. */
  use(program: number): Promise<InferenceSession>;
  remove(program: number): Promise<void>;
}

/**
 * Keeps at most `warmPrograms` sessions that ran. The next to go is the infrequent one that was used least recently:
 * a program of border tiles must not push out that of the tiles between them. Compiling again takes some 40 ms and
 * touching fresh memory as long as half a tile, so that one warm program is nearly as fast as all of them.
 */
export function openSessionPool(
  options: InferenceSession.SessionOptions,
  { warmPrograms }: { readonly warmPrograms: number },
): SessionPool {
  // In the order of last use: a program that is used moves to the end.
  const entries = new Map<number, Entry>();

  const release = async (entry: Entry): Promise<void> => {
    const { session } = entry;
    entry.session = undefined;
    entry.warm = false;
    await session?.release();
  };

  /** Releases until `limit` sessions of this temperature are left, `except` not counted. */
  const shrink = async (warm: boolean, limit: number, except: Entry): Promise<void> => {
    const held = [...entries.values()].filter(
      (entry) => entry !== except && entry.session !== undefined && entry.warm === warm,
    );
    const leaving = [...held.filter(({ frequent }) => !frequent), ...held.filter(({ frequent }) => frequent)];
    for (const entry of leaving.slice(0, Math.max(0, held.length - limit))) await release(entry);
  };

  const open = async (entry: Entry): Promise<InferenceSession> => {
    entry.session ??= await InferenceSession.create(entry.bytes, options);
    return entry.session;
  };

  return {
    add: async (program, { bytes, frequent }) => {
      const entry: Entry = { bytes, frequent, session: undefined, warm: false };
      await shrink(false, coldLimit - 1, entry);
      await open(entry);
      entries.set(program, entry);
    },
    use: async (program) => {
      const entry = entries.get(program);
      if (entry === undefined) throw new RangeError(`There is no program ${program}.`);
      entries.delete(program);
      entries.set(program, entry);
      await shrink(true, warmPrograms - 1, entry);
      const session = await open(entry);
      entry.warm = true;
      return session;
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

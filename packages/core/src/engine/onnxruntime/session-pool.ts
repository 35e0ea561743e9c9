import { InferenceSession } from "onnxruntime-node";

/** Sessions at once: also one that did not run yet holds the weights, in two layouts. */
const sessionLimit = 16;

export interface CompiledModel {
  /** An ONNX model, kept to compile it again. */
  readonly bytes: Uint8Array;
  /** Whether it should stay longer than others. */
  readonly frequent: boolean;
  /** What a run takes, and what the session then keeps until it is released. */
  readonly workingBytes: number;
}

interface Entry extends CompiledModel {
  session: InferenceSession | undefined;
  /** Whether the session ran, so that it holds working memory. */
  warm: boolean;
}

/** ONNX Runtime's sessions by program. */
export interface SessionPool extends AsyncDisposable {
  add(program: number, model: CompiledModel): Promise<void>;
  /** The program's session, about to run: others are released to make room, and it is compiled again where it was. */
  use(program: number): Promise<InferenceSession>;
  remove(program: number): Promise<void>;
}

/**
 * Sessions that ran keep their working memory as long as the others of them hold at most `warmBytes`. The next to go is
 * the infrequent one that was used least recently: a program of border tiles must not push out that of the tiles
 * between them. Compiling a U-Net again takes some 40 ms: nine programs of 1,216 px in turns are as fast with one warm
 * session (0.86 GB) as with two (1.5 GB), and slower with all nine (5.7 GB of fresh memory to touch).
 */
export function openSessionPool(
  options: InferenceSession.SessionOptions,
  { warmBytes }: { readonly warmBytes: number },
): SessionPool {
  // In the order of last use: a program that is used moves to the end.
  const entries = new Map<number, Entry>();

  const release = async (entry: Entry): Promise<void> => {
    const { session } = entry;
    entry.session = undefined;
    entry.warm = false;
    await session?.release();
  };

  const makeRoom = async (beside: Entry): Promise<void> => {
    const others = [...entries.values()].filter((entry) => entry !== beside && entry.session !== undefined);
    const leaving = [...others.filter(({ frequent }) => !frequent), ...others.filter(({ frequent }) => frequent)];
    let bytes = others.reduce((sum, { warm, workingBytes }) => sum + (warm ? workingBytes : 0), 0);
    let sessions = others.length;
    for (const entry of leaving) {
      const relieves = (entry.warm && bytes > warmBytes) || sessions >= sessionLimit;
      if (!relieves) continue;
      bytes -= entry.warm ? entry.workingBytes : 0;
      sessions -= 1;
      await release(entry);
    }
  };

  const open = async (entry: Entry): Promise<InferenceSession> => {
    await makeRoom(entry);
    entry.session ??= await InferenceSession.create(entry.bytes, options);
    return entry.session;
  };

  return {
    add: async (program, model) => {
      const entry: Entry = { ...model, session: undefined, warm: false };
      await open(entry);
      entries.set(program, entry);
    },
    use: async (program) => {
      const entry = entries.get(program);
      if (entry === undefined) throw new RangeError(`There is no program ${program}.`);
      entries.delete(program);
      entries.set(program, entry);
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

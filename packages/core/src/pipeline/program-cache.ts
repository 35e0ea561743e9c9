import type { Engine, Precision, Program } from "../engine/engine.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Graph } from "../graph/graph.ts";
import { lazily } from "../graph/lazily.ts";

export interface ProgramRequest {
  /** Equal keys mean equal graphs, over the life of the cache; other keys may mean the same one. */
  readonly key: string;
  readonly label: string;
  readonly frequent: boolean;
  readonly precision: Precision;
  /** The graph that is asked for. */
  build(): Graph;
  /** What is compiled of it, for this engine and precision. */
  optimise(graph: Graph): Graph;
}

/** Compiled programs by what they compute, so that a graph is compiled once for all tiles and images of a process. */
export interface ProgramCache extends AsyncDisposable {
  /** Works with a program, which stays open that long; it is being compiled when this returns. */
  use<T>(request: ProgramRequest, work: (program: Promise<Program>) => Promise<T>): Promise<T>;
}

/** Nine programs are a large image's, in each of two sweeps: inner tiles, edges and corners. Each keeps the weights once more. */
const defaultLimit = 24;
/** Keys whose graph is known: building and naming it takes some milliseconds. */
const keptKeys = 256;

interface Entry {
  readonly program: Promise<Program>;
  users: number;
}

/** Keeps the `limit` programs that were used last, and those that are in use; a failed compilation is not kept. */
export function openProgramCache(engine: Engine, options: { readonly limit?: number } = {}): ProgramCache {
  const limit = options.limit ?? defaultLimit;
  // Both in the order of last use.
  const names = new Map<string, string>();
  const entries = new Map<string, Entry>();
  const leaving = new Set<Promise<void>>();

  const letGo = ({ program }: Entry): void => {
    const gone: Promise<void> = dispose(program).finally(() => leaving.delete(gone));
    leaving.add(gone);
  };

  const makeRoom = (): void => {
    for (const [name, entry] of entries) {
      if (entries.size <= limit) break;
      if (entry.users > 0) continue;
      entries.delete(name);
      letGo(entry);
    }
  };

  const entryOf = (request: ProgramRequest): Entry => {
    const { key, label, frequent, precision } = request;
    const graph = lazily(() => request.build());
    const name = names.get(key) ?? `${precision} ${fingerprint(graph())}`;
    moveToEnd(names, key, name);
    const [oldest] = names.keys();
    if (names.size > keptKeys && oldest !== undefined) names.delete(oldest);
    const known = entries.get(name);
    if (known !== undefined) {
      moveToEnd(entries, name, known);
      return known;
    }
    const program = engine.compile(request.optimise(graph()), { label, frequent, precision });
    const entry: Entry = { program, users: 0 };
    entries.set(name, entry);
    entry.program.catch(() => {
      if (entries.get(name) === entry) entries.delete(name);
    });
    return entry;
  };

  return {
    use: async (request, work) => {
      const entry = entryOf(request);
      entry.users += 1;
      makeRoom();
      try {
        return await work(entry.program);
      } finally {
        entry.users -= 1;
        makeRoom();
      }
    },
    [Symbol.asyncDispose]: async () => {
      const all = [...entries.values()];
      entries.clear();
      for (const entry of all) letGo(entry);
      await Promise.all(leaving);
    },
  };
}

function moveToEnd<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
}

async function dispose(program: Promise<Program>): Promise<void> {
  const compiled = await program.catch(() => undefined);
  await compiled?.[Symbol.asyncDispose]();
}

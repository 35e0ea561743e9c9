import type { Engine, Precision, Program } from "../engine/engine.ts";
import type { Graph } from "../graph/graph.ts";
import { lazily } from "../graph/lazily.ts";
import { fingerprint } from "./fingerprint.ts";

export interface ProgramRequest {
  /** Equal keys mean equal graphs, over the life of the cache; other keys may mean the same one. */
  readonly key: string;
  readonly label: string;
  readonly frequent: boolean;
  /** Whether the engine has one model for it and for programs of other sizes: it takes no memory of its own then. */
  readonly ofAnySize: boolean;
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

/**
 * Nine programs are a large image's, in each of two sweeps: inner tiles, edges and corners. Tiles that are alike have two sizes, in most archives.
 * Each keeps the weights once more.
 */
const defaultLimit = 40;
/** Keys whose graph is known (building and naming it takes some milliseconds), and names of programs that were given up after one use. */
const keptNames = 256;

interface Entry {
  readonly program: Promise<Program>;
  readonly ofAnySize: boolean;
  users: number;
  /** Whether it was wanted again after its users were done. */
  recurring: boolean;
}

/**
 * Keeps the `limit` programs that were used last, and those that are in use; a failed compilation is not kept.
 *
 * In the computer's own memory a program that was wanted only once does not stay beside the next such one: an archive's images all differ in size, and
 * what the programs of those that are done hold would be taken from memory that the next one finds slow, since nothing has touched it yet. One that is asked
 * for after it was given up is wanted again, and stays from then on (Johnson and Shasha, VLDB 1994: "2Q"). Those that take no memory of their own stay.
 */
export function openProgramCache(engine: Engine, options: { readonly limit?: number } = {}): ProgramCache {
  const limit = options.limit ?? defaultLimit;
  // In the order of last use, each.
  const names = new Map<string, string>();
  const entries = new Map<string, Entry>();
  const givenUp = new Map<string, true>();
  const leaving = new Set<Promise<void>>();

  const letGo = ({ program }: Entry): void => {
    const gone: Promise<void> = dispose(program).finally(() => leaving.delete(gone));
    leaving.add(gone);
  };

  const giveUp = (name: string, entry: Entry): void => {
    entries.delete(name);
    if (!entry.recurring) keep(givenUp, name, true);
    letGo(entry);
  };

  const makeRoom = (): void => {
    const [, ...earlier] = [...entries].filter(([, { recurring, ofAnySize }]) => !recurring && !ofAnySize).toReversed();
    for (const [name, entry] of engine.alikeTiles ? [] : earlier) if (entry.users === 0) giveUp(name, entry);
    for (const [name, entry] of entries) if (entries.size > limit && entry.users === 0) giveUp(name, entry);
  };

  const entryOf = (request: ProgramRequest): Entry => {
    const { key, label, frequent, ofAnySize, precision } = request;
    const graph = lazily(() => request.build());
    const name = names.get(key) ?? `${precision} ${fingerprint(graph())}`;
    keep(names, key, name);
    const known = entries.get(name);
    if (known !== undefined) {
      moveToEnd(entries, name, known);
      known.recurring ||= known.users === 0;
      return known;
    }
    const program = engine.compile(request.optimise(graph()), { label, frequent, precision });
    const entry: Entry = { program, ofAnySize, users: 0, recurring: givenUp.has(name) };
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

/** Keeps what was used last of many names. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  moveToEnd(map, key, value);
  const [oldest] = map.keys();
  if (map.size > keptNames && oldest !== undefined) map.delete(oldest);
}

async function dispose(program: Promise<Program>): Promise<void> {
  const compiled = await program.catch(() => undefined);
  await compiled?.[Symbol.asyncDispose]();
}

import type { Engine, Precision, Program } from "../engine/engine.ts";
import type { Graph } from "../graph/graph.ts";

export interface ProgramRequest {
  /** Equal keys mean equal graphs, over the life of the cache. */
  readonly key: string;
  readonly label: string;
  readonly frequent: boolean;
  readonly precision: Precision;
  build(): Graph;
}

/** Compiled programs by key, so that a graph is compiled once for all tiles and images of a process. */
export interface ProgramCache extends AsyncDisposable {
  get(request: ProgramRequest): Promise<Program>;
}

/** Nine programs are a large image's: inner tiles, edges and corners. Each keeps the weights once more. */
const defaultLimit = 24;

/** Keeps the `limit` programs that were used last; a failed compilation is not kept. */
export function openProgramCache(engine: Engine, options: { readonly limit?: number } = {}): ProgramCache {
  const limit = options.limit ?? defaultLimit;
  const programs = new Map<string, Promise<Program>>();
  const dispose = async (program: Promise<Program>): Promise<void> => {
    const settled = await program.catch(() => undefined);
    await settled?.[Symbol.asyncDispose]();
  };
  return {
    get: async (request) => {
      const known = programs.get(request.key);
      if (known !== undefined) {
        programs.delete(request.key);
        programs.set(request.key, known);
        return known;
      }
      const { label, frequent, precision } = request;
      const compiling = engine.compile(request.build(), { label, frequent, precision });
      programs.set(request.key, compiling);
      const [oldest] = programs.entries();
      if (programs.size > limit && oldest !== undefined) {
        programs.delete(oldest[0]);
        await dispose(oldest[1]);
      }
      return compiling.catch((error: unknown) => {
        if (programs.get(request.key) === compiling) programs.delete(request.key);
        throw error;
      });
    },
    [Symbol.asyncDispose]: async () => {
      const all = [...programs.values()];
      programs.clear();
      await Promise.all(all.map(dispose));
    },
  };
}

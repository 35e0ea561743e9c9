import { compiledProgram } from "../compiled-program.ts";
import type { CompiledGraph } from "../compiled-program.ts";
import type { Engine, Program, RunResult } from "../engine.ts";
import { failuresOf } from "../failures.ts";
import type { ProgramQueue } from "../program-queue.ts";
import type { WarmPool } from "../warm-pool.ts";
import type { OpenVino } from "./library.ts";
import { modelOf } from "./model.ts";
import type { OpenVinoModel } from "./model.ts";
import { runRequest } from "./request.ts";
import type { Request } from "./request.ts";

const { failure, attempt } = failuresOf("OpenVINO");

export interface CompilerParts {
  readonly library: OpenVino;
  readonly pool: WarmPool<OpenVinoModel, Request>;
  /** Of runs, and of what must not be done within one. */
  readonly queue: ProgramQueue;
  readonly resizes: Engine["resizes"];
}

/** Compiles beside the runs: another program may compute meanwhile. */
export function compilerOf(parts: CompilerParts): Engine["compile"] {
  const { pool, resizes } = parts;
  let programs = 0;
  return async (graph, { label = "a graph", frequent = false, precision = "float32", signal } = {}) => {
    signal?.throwIfAborted();
    programs += 1;
    const program = programs;
    const settings = { precision, frequent };
    const open = async (): Promise<void> => {
      if (resizes(graph)) {
        const isTaken = await pool.add(program, modelOf(graph, { ...settings, dynamicAxes: true })).then(
          () => true,
          () => false,
        );
        if (isTaken) return;
        signal?.throwIfAborted();
      }
      // What it does not take for any size, it may take for one.
      await pool.add(program, modelOf(graph, { ...settings, dynamicAxes: false }));
    };
    const compiling = attempt(`Compiling "${label}"`, open);
    const abandon = (): void => {
      void compiling.then(
        () => pool.remove(program),
        () => undefined,
      );
    };
    await withdrawable(compiling, signal, abandon);
    return programIn(parts, { program, graph, label });
  };
}

function programIn({ library, pool, queue }: CompilerParts, compiled: CompiledGraph): Program {
  const { program, graph } = compiled;
  const closed = (operation: string) => (): Error => failure(operation, "the engine was closed");
  return compiledProgram(compiled, {
    failure,
    run: (inputs, { operation, signal }) => {
      const work = (): Promise<RunResult> =>
        attempt(operation, () => pool.use(program, (request) => runRequest(library, request, { graph, inputs })));
      if (signal?.aborted !== true) pool.prepare(program);
      return queue.ask(work, {
        signal,
        program,
        takesMemory: () => !pool.holds(program),
        closed: closed(operation),
      });
    },
    dispose: (operation) => queue.ask(() => pool.remove(program), { program, early: true, closed: closed(operation) }),
  });
}

/** The same, until the signal aborts: then its reason, at once, and `abandon` for what still goes on. */
async function withdrawable<T>(work: Promise<T>, signal: AbortSignal | undefined, abandon: () => void): Promise<T> {
  if (signal === undefined) return work;
  let withdraw = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    withdraw = () => {
      abandon();
      reject(signal.reason);
    };
    signal.addEventListener("abort", withdraw, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", withdraw);
  }
}

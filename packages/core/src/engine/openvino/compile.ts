import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Graph } from "../../graph/graph.ts";
import { checkInputs } from "../check-inputs.ts";
import type { Engine, Program, RunResult } from "../engine.ts";
import type { SerialQueue } from "../serial-queue.ts";
import type { WarmPool } from "../warm-pool.ts";
import type { OpenVino } from "./library.ts";
import { modelOf } from "./model.ts";
import type { OpenVinoModel } from "./model.ts";
import { runRequest } from "./request.ts";
import type { Request } from "./request.ts";

export interface CompilerParts {
  readonly library: OpenVino;
  readonly pool: WarmPool<OpenVinoModel, Request>;
  /** Of runs, and of what must not be done within one. */
  readonly queue: SerialQueue;
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

interface Compiled {
  /** What the pool knows it by. */
  readonly program: number;
  readonly graph: Graph;
  readonly label: string;
}

function programIn({ library, pool, queue }: CompilerParts, { program, graph, label }: Compiled): Program {
  let disposed = false;
  return {
    inputs: graph.inputs.map(({ name }) => name),
    run: async (inputs, { signal } = {}) => {
      checkInputs(graph, inputs, label);
      const operation = `Running "${label}"`;
      if (disposed) throw failure(operation, "the program was disposed of");
      const work = (): Promise<RunResult> =>
        attempt(operation, () => pool.use(program, (request) => runRequest(library, request, { graph, inputs })));
      if (signal?.aborted !== true) pool.prepare(program);
      return queue.ask(work, {
        signal,
        program,
        takesMemory: () => !pool.holds(program),
        closed: () => failure(operation, "the engine was closed"),
      });
    },
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      // With the engine, its programs are gone.
      const gone = (): Error => failure(`Disposing of "${label}"`, "the engine was closed");
      await queue.ask(() => pool.remove(program), { program, early: true, closed: gone }).catch(() => undefined);
    },
  };
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

async function attempt<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(operation, messageOf(error), error);
  }
}

function failure(operation: string, reason: string, cause?: unknown): SlidelightError {
  return new SlidelightError("engine-failed", `${operation} with OpenVINO: expected a result, got: ${reason}`, {
    cause,
  });
}

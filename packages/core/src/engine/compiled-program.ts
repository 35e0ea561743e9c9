import type { Graph } from "../graph/graph.ts";
import type { Abortable } from "../io/byte-source.ts";
import { checkInputs } from "./check-inputs.ts";
import type { Program, RunResult } from "./engine.ts";
import type { EngineFailures } from "./failures.ts";

export interface CompiledGraph {
  /** What the engine knows it by. */
  readonly program: number;
  readonly graph: Graph;
  readonly label: string;
}

export interface ProgramWork {
  readonly failure: EngineFailures["failure"];
  /** Of inputs that are what the graph declares. */
  readonly run: (
    inputs: Parameters<Program["run"]>[0],
    options: Abortable & { readonly operation: string },
  ) => Promise<RunResult>;
  /** Once, whoever asks. */
  readonly dispose: (operation: string) => Promise<unknown>;
}

/** A program that checks what it is given, and computes no more once it is disposed of. */
export function compiledProgram({ graph, label }: CompiledGraph, { failure, run, dispose }: ProgramWork): Program {
  let disposed = false;
  return {
    inputs: graph.inputs.map(({ name }) => name),
    run: async (inputs, { signal } = {}) => {
      checkInputs(graph, inputs, label);
      const operation = `Running "${label}"`;
      if (disposed) throw failure(operation, "the program was disposed of");
      return run(inputs, { operation, signal });
    },
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      // With the engine, its programs are gone.
      await dispose(`Disposing of "${label}"`).catch(() => undefined);
    },
  };
}

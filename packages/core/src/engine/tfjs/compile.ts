import type { Graph } from "../../graph/graph.ts";
import { stepsOf } from "../../graph/steps.ts";
import { checkInputs } from "../check-inputs.ts";
import type { Engine, Program, RunResult } from "../engine.ts";
import type { Child } from "./child.ts";
import { failure } from "./computer.ts";
import type { Computer } from "./computer.ts";

/** Compiles in the process that computes; a program that it does not have, since it is a new one, is compiled there again. */
export function compilerOn(computer: Computer): Engine["compile"] {
  let programs = 0;
  return async (graph, { label = "a graph", precision = "float32", signal } = {}) => {
    const operation = `Compiling "${label}"`;
    if (precision !== "float32") throw failure(operation, `the precision ${precision}; it has float32`);
    programs += 1;
    const program = programs;
    const steps = stepsOf(graph);
    const having = async (): Promise<Child> => {
      const { child, programs: known } = await computer.living();
      if (!known.has(program)) await child.ask({ kind: "compile", program, steps });
      known.add(program);
      return child;
    };
    const compiled = programOn(computer, { program, graph, label, having });
    try {
      await computer.inTurn(operation, having, { signal, program });
    } catch (error) {
      // Given up while it was being compiled: the process will have it all the same.
      void compiled[Symbol.asyncDispose]();
      throw error;
    }
    return compiled;
  };
}

interface Compiled {
  /** What the process knows it by. */
  readonly program: number;
  readonly graph: Graph;
  readonly label: string;
  /** A process that has it. */
  readonly having: () => Promise<Child>;
}

function programOn(computer: Computer, { program, graph, label, having }: Compiled): Program {
  let disposed = false;
  return {
    inputs: graph.inputs.map(({ name }) => name),
    run: async (inputs, { signal } = {}) => {
      checkInputs(graph, inputs, label);
      const operation = `Running "${label}"`;
      if (disposed) throw failure(operation, "the program was disposed of");
      const work = async (): Promise<RunResult> => {
        const { outputs, busySeconds } = await (await having()).ask({ kind: "run", program, inputs });
        return { outputs, busySeconds };
      };
      return computer.inTurn(operation, work, { signal, program });
    },
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      const forget = async (): Promise<void> => {
        const { child, programs } = computer.last();
        if (programs.delete(program)) await child.ask({ kind: "forget", program });
      };
      // With the process, its programs are gone.
      await computer.inTurn(`Disposing of "${label}"`, forget, { program, early: true }).catch(() => undefined);
    },
  };
}

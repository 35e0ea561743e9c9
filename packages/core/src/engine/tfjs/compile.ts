import { stepsOf } from "../../graph/steps.ts";
import { compiledProgram } from "../compiled-program.ts";
import type { CompiledGraph } from "../compiled-program.ts";
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
    const compiled = programOn(computer, { program, graph, label }, having);
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

/** @param having a process that has the program */
function programOn(computer: Computer, compiled: CompiledGraph, having: () => Promise<Child>): Program {
  const { program } = compiled;
  return compiledProgram(compiled, {
    failure,
    run: (inputs, { operation, signal }) => {
      const work = async (): Promise<RunResult> => {
        const { outputs, busySeconds } = await (await having()).ask({ kind: "run", program, inputs });
        return { outputs, busySeconds };
      };
      return computer.inTurn(operation, work, { signal, program });
    },
    dispose: (operation) => {
      const forget = async (): Promise<void> => {
        const { child, programs } = computer.last();
        if (programs.delete(program)) await child.ask({ kind: "forget", program });
      };
      return computer.inTurn(operation, forget, { program, early: true });
    },
  });
}

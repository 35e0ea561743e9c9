import { stepsOf } from "../../graph/steps.ts";
import { compiledProgram } from "../compiled-program.ts";
import type { CompiledGraph } from "../compiled-program.ts";
import type { Engine, Program, RunResult } from "../engine.ts";
import { notBegun } from "./child.ts";
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
    const having = async (): Promise<Child | typeof notBegun> => {
      const { child, programs: known } = await computer.living();
      if (known.has(program)) return child;
      // What is asked for meanwhile comes after it.
      known.add(program);
      try {
        const answer = await child.ask({ kind: "compile", program, steps });
        return answer === notBegun ? answer : child;
      } catch (error) {
        known.delete(program);
        throw error;
      }
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
function programOn(
  computer: Computer,
  compiled: CompiledGraph,
  having: () => Promise<Child | typeof notBegun>,
): Program {
  const { program } = compiled;
  return compiledProgram(compiled, {
    failure,
    run: (inputs, { operation, signal }) => {
      const work = async (): Promise<RunResult | typeof notBegun> => {
        const child = await having();
        const answer = child === notBegun ? child : await child.ask({ kind: "run", program, inputs });
        if (answer === notBegun) return answer;
        const { outputs, busySeconds } = answer;
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

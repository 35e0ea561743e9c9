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
    const asking = async (): Promise<Asked> => {
      const { child, programs: known } = await computer.living();
      const asked = known.get(program);
      if (asked !== undefined) return { child, compiled: asked };
      const compiled = child.ask({ kind: "compile", program, steps });
      known.set(program, compiled);
      compiled.catch(() => known.delete(program));
      return { child, compiled };
    };
    const underWay = new Set<Promise<unknown>>();
    const noting = <T>(work: Promise<T>): Promise<T> => {
      const noted = work.finally(() => underWay.delete(noted));
      underWay.add(noted);
      return noted;
    };
    const compiled = programOn(computer, { program, graph, label }, { asking, noting, underWay });
    const compile = async (): Promise<unknown> => (await asking()).compiled;
    try {
      await computer.inTurn(operation, () => noting(compile()), { signal, program });
    } catch (error) {
      // Given up while it was being compiled: the process will have it all the same.
      void compiled[Symbol.asyncDispose]();
      throw error;
    }
    return compiled;
  };
}

/** A process that has a program, or was asked to compile it before whatever it is asked next. */
interface Asked {
  readonly child: Child;
  /** @throws {Error} why it could not. */
  readonly compiled: Promise<unknown>;
}

interface ProgramParts {
  readonly asking: () => Promise<Asked>;
  /** Work on the program, while it is under way. */
  readonly underWay: ReadonlySet<Promise<unknown>>;
  readonly noting: <T>(work: Promise<T>) => Promise<T>;
}

function programOn(computer: Computer, compiled: CompiledGraph, { asking, noting, underWay }: ProgramParts): Program {
  const { program } = compiled;
  const run = async (inputs: Parameters<Program["run"]>[0]): Promise<RunResult | typeof notBegun> => {
    const asked = await asking();
    const running = asked.child.ask({ kind: "run", program, inputs });
    // Why it could not be compiled says more than that it is not there.
    running.catch(() => undefined);
    await asked.compiled;
    const answer = await running;
    if (answer === notBegun) return answer;
    const { outputs, busySeconds } = answer;
    return { outputs, busySeconds };
  };
  return compiledProgram(compiled, {
    failure,
    run: (inputs, { operation, signal }) => computer.inTurn(operation, () => noting(run(inputs)), { signal, program }),
    dispose: (operation) => {
      const forget = async (): Promise<void> => {
        // What is under way may ask the process, or the next one, for the program first.
        while (underWay.size > 0) await Promise.allSettled(underWay);
        const { child, programs } = computer.last();
        if (programs.delete(program)) await child.ask({ kind: "forget", program });
      };
      return computer.inTurn(operation, forget, { program, early: true });
    },
  });
}

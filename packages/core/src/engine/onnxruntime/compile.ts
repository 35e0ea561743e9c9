import { SlidelightError } from "../../errors/slidelight-error.ts";
import { encodeOnnx } from "../../format/onnx/encode.ts";
import type { Graph } from "../../graph/graph.ts";
import { peakActivationBytes } from "../../graph/memory.ts";
import { narrowPrecision } from "../../graph/narrow-precision.ts";
import { transferList } from "../../io/transfer.ts";
import { compiledProgram } from "../compiled-program.ts";
import type { CompiledGraph } from "../compiled-program.ts";
import type { Engine, Precision, Program } from "../engine.ts";
import { newTensor } from "../new-tensor.ts";
import { failure } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { arraysOf } from "../arrays-of.ts";
import { providerRule } from "./providers.ts";
import type { Provider } from "./providers.ts";
import { suited } from "./rewrite.ts";

/** Compiles on the thread at the other end, for its provider. */
export function compilerOf(connection: Connection, provider: Provider): Engine["compile"] {
  const rule = providerRule(provider);
  let programs = 0;
  return async (wide, { label = "a graph", frequent = false, precision = "float32", signal } = {}) => {
    signal?.throwIfAborted();
    const graph = suited(inPrecision(wide, precision, label), provider);
    programs += 1;
    const program = programs;
    const bytes = encodeOnnx(graph, { channelsLast: rule.channelsLast.includes(precision) });
    const compiled = programOn(connection, { program, graph, label });
    try {
      const workingBytes = rule.overhead * peakActivationBytes(graph);
      const question = { kind: "compile", program, bytes, frequent, workingBytes } as const;
      const operation = `Compiling "${label}"`;
      await connection.ask(question, { operation, signal, transfer: transferList([bytes]) });
    } catch (error) {
      // Given up while it was being compiled: the thread will have it all the same.
      if (signal?.aborted === true) void compiled[Symbol.asyncDispose]();
      throw error;
    }
    return compiled;
  };
}

function programOn(connection: Connection, compiled: CompiledGraph): Program {
  const { program, graph } = compiled;
  return compiledProgram(compiled, {
    failure,
    run: async (inputs, { operation, signal }) => {
      const memory = Object.entries(graph.outputs).map(([name, { type, shape }]) => [name, newTensor(type, shape)]);
      const question = { kind: "run", program, inputs, outputs: Object.fromEntries(memory) } as const;
      const transfer = transferList([question.inputs, question.outputs].flatMap(arraysOf));
      const reply = await connection.ask(question, { operation, signal, transfer });
      if (reply.kind !== "ran") throw new TypeError(`${operation}: the thread replied "${reply.kind}".`);
      const { outputs, spent, busySeconds } = reply;
      return { outputs, spent, busySeconds };
    },
    // Runs that were asked for before are still served.
    dispose: (operation) => connection.ask({ kind: "forget", program }, { operation }),
  });
}

/**
 * The graph with the casts that a precision takes. float16 computes on the CPU too, as slowly as it is of no use but to test
 * what the others run: `precisions` does not list it there.
 */
function inPrecision(graph: Graph, precision: Precision, label: string): Graph {
  if (precision === "float32") return graph;
  if (precision === "float16") return narrowPrecision(graph, precision);
  throw new SlidelightError(
    "engine-failed",
    `Compiling "${label}" with ONNX Runtime: expected the precision float32 or float16, got ${precision}.`,
  );
}

import { messageOf } from "../../errors/message-of.ts";
import { loadBackend } from "./backend.ts";
import { compileSteps } from "./program.ts";
import type { TfProgram } from "./program.ts";
import type { Answer, HeldRequest, ProcessSettings, Reply } from "./protocol.ts";
import type { TensorFlow } from "./tensorflow.ts";

/** The computing thread's side: answers each request. */
export function openServer(): (request: HeldRequest) => Promise<Reply> {
  let tf: TensorFlow | undefined;
  const programs = new Map<number, TfProgram>();

  const opened = (): TensorFlow => {
    if (tf === undefined) throw new Error("TensorFlow.js has not been loaded.");
    return tf;
  };
  const open = async (settings: ProcessSettings): Promise<Answer> => {
    const backend = await loadBackend(settings);
    tf = backend.tf;
    return { kind: "open", version: backend.version };
  };
  const perform = async (request: HeldRequest): Promise<Answer> => {
    switch (request.kind) {
      case "open":
        return open(request.settings);
      case "compile":
        programs.set(request.program, compileSteps(opened(), request.steps));
        return { kind: "compile" };
      case "run": {
        const program = programs.get(request.program);
        if (program === undefined) throw new Error(`There is no program ${request.program}.`);
        return { kind: "run", ...program.run(request.inputs) };
      }
      case "forget":
        programs.get(request.program)?.[Symbol.dispose]();
        programs.delete(request.program);
        return { kind: "forget" };
      case "memory": {
        const { numTensors, numBytes } = opened().memory();
        return { kind: "memory", memory: { tensors: numTensors, bytes: numBytes } };
      }
      case "unfit":
        throw new Error(request.message);
      default:
        return request satisfies never;
    }
  };
  return async (request) => {
    try {
      return await perform(request);
    } catch (error) {
      return { kind: "failed", message: messageOf(error) };
    }
  };
}

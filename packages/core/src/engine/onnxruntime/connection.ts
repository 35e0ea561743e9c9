import type { Worker } from "node:worker_threads";
import type { Abortable } from "../../io/byte-source.ts";
import { openCalls } from "../../io/calls.ts";
import { failuresOf } from "../failures.ts";
import type { Message, Reply, Request } from "./protocol.ts";

export const { failure } = failuresOf("ONNX Runtime");

/** A request without its number. */
export type Question = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

type Answer = Exclude<Reply, { readonly kind: "failed" }>;

export interface AskOptions extends Abortable {
  /** For messages: what is done, on what. */
  readonly operation: string;
  /** Buffers that are handed over rather than copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** Requests and replies over a thread's port. */
export interface Connection extends AsyncDisposable {
  /**
   * @returns The reply, which is of the question's kind.
   * @throws {SlidelightError} `engine-failed` when the thread could not do it, or ended.
   * @throws The signal's reason, at once; what was not begun is withdrawn.
   */
  ask(question: Question, options: AskOptions): Promise<Answer>;
}

/** Takes over a worker that serves the protocol: closes it when disposed of. */
export function connectTo(worker: Worker): Connection {
  const calls = openCalls<Answer>();
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const end = (reason: string, cause?: unknown): void => calls.failAll(new Error(reason, { cause }));
  const post = (message: Message, transfer: readonly ArrayBuffer[] = []): void => {
    try {
      worker.postMessage(message, [...transfer]);
    } catch (error) {
      // Some native libraries own the buffers that they give out, which then can't leave this thread: copied.
      if (!(error instanceof DOMException) || error.name !== "DataCloneError" || transfer.length === 0) throw error;
      worker.postMessage(message, []);
    }
  };

  worker.on("message", (reply: Reply) => {
    if (reply.kind === "failed") calls.fail(reply.id, new Error(reply.message));
    else calls.answer(reply.id, reply);
  });
  worker.on("error", (error) => end(`its thread ended: ${error.message}`, error));
  worker.on("exit", (code) => end(`its thread ended with status ${code}`));

  return {
    ask: async (question, { operation, signal, transfer }) => {
      try {
        return await calls.ask((id) => post({ ...question, id }, transfer), {
          signal,
          withdraw: (id) => post({ kind: "withdraw", id }),
        });
      } catch (error) {
        throw error instanceof Error && error !== signal?.reason
          ? failure(operation, error.message, error.cause)
          : error;
      }
    },
    [Symbol.asyncDispose]: async () => {
      end("the engine was closed");
      post({ kind: "close" });
      await exited;
    },
  };
}

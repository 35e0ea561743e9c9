import type { Worker } from "node:worker_threads";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import type { Message, Reply, Request } from "./protocol.ts";

/** A request without its number. */
export type Question = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

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
  ask(question: Question, options: AskOptions): Promise<Exclude<Reply, { readonly kind: "failed" }>>;
}

interface Pending {
  readonly operation: string;
  readonly resolve: (reply: Exclude<Reply, { readonly kind: "failed" }>) => void;
  readonly reject: (reason: unknown) => void;
}

/** Takes over a worker that serves the protocol: closes it when disposed of. */
export function connectTo(worker: Worker): Connection {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let ended: string | undefined;
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));

  const settle = (id: number, act: (waiting: Pending) => void): void => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (waiting !== undefined) act(waiting);
  };
  const end = (reason: string, cause?: unknown): void => {
    ended ??= reason;
    for (const id of pending.keys()) {
      settle(id, ({ operation, reject }) => reject(failure(operation, reason, cause)));
    }
  };
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
    settle(reply.id, ({ operation, resolve, reject }) => {
      if (reply.kind === "failed") reject(failure(operation, reply.message));
      else resolve(reply);
    });
  });
  worker.on("error", (error) => end(`its thread ended: ${error.message}`, error));
  worker.on("exit", (code) => end(`its thread ended with status ${code}`));

  return {
    ask: async (question, { operation, signal, transfer }) => {
      signal?.throwIfAborted();
      if (ended !== undefined) throw failure(operation, ended);
      lastId += 1;
      const id = lastId;
      const reply = new Promise<Exclude<Reply, { readonly kind: "failed" }>>((resolve, reject) => {
        pending.set(id, { operation, resolve, reject });
      });
      const withdraw = (): void => {
        settle(id, ({ reject }) => {
          post({ kind: "withdraw", id });
          reject(signal?.reason);
        });
      };
      signal?.addEventListener("abort", withdraw, { once: true });
      try {
        post({ ...question, id }, transfer);
        return await reply;
      } finally {
        pending.delete(id);
        signal?.removeEventListener("abort", withdraw);
      }
    },
    [Symbol.asyncDispose]: async () => {
      end("the engine was closed");
      post({ kind: "close" });
      await exited;
    },
  };
}

function failure(operation: string, reason: string, cause?: unknown): SlidelightError {
  return new SlidelightError("engine-failed", `${operation} with ONNX Runtime: expected a result, got: ${reason}`, {
    cause,
  });
}

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { threadFile } from "../../io/thread-file.ts";
import type { Answer, Reply, Request } from "./protocol.ts";

/** What is said of a request that the process had not come to when it ended: another process can be asked. */
export const notBegun = Symbol("not begun");

/** A process of its own that answers requests, in the order in which it is asked. */
export interface Child extends AsyncDisposable {
  readonly processId: number | undefined;
  /** Why it answers no more. */
  readonly ended: () => string | undefined;
  /** @throws {Error} with what the process says, or with what is known of its end while it worked on this. */
  ask<K extends Request["kind"]>(
    request: Request & { readonly kind: K },
  ): Promise<(Answer & { readonly kind: K }) | typeof notBegun>;
}

interface Waiting {
  answer(reply: Reply | typeof notBegun): void;
  fail(error: Error): void;
}

/** The end of what native libraries print after the last answer: why they abort, perhaps. */
const keptCharacters = 2000;

export function startChild(): Child {
  const child = fork(fileURLToPath(threadFile("process", import.meta.url)), [], {
    serialization: "advanced",
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let ended: string | undefined;
  /** In order; the process works on the first one, or sends its answer off. */
  const waiting: Waiting[] = [];
  let printed = "";
  const end = (reason: string): void => {
    ended ??= reason;
    const [first, ...others] = waiting.splice(0);
    first?.fail(new Error(ended));
    for (const { answer } of others) answer(notBegun);
  };
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      const text = printed.trim();
      end(`its process ended ${signal === null ? `with status ${code}` : `by ${signal}`}${text && `: ${text}`}`);
      resolve();
    });
    // It could not be started, or not be ended.
    child.on("error", (error) => {
      end(error.message);
      if (child.pid === undefined) resolve();
    });
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    printed = `${printed}${text}`.slice(-keptCharacters);
  });
  child.on("message", (reply: Reply) => {
    printed = "";
    waiting.shift()?.answer(reply);
  });
  return {
    processId: child.pid,
    ended: () => ended,
    ask: async (request) => {
      if (ended !== undefined) return notBegun;
      const reply = await new Promise<Reply | typeof notBegun>((answer, fail) => {
        // What can't be sent is told by the end of the process; what can't be written as a message is thrown, and waits for no answer.
        child.send(request, () => undefined);
        waiting.push({ answer, fail });
      });
      if (reply === notBegun) return reply;
      if (reply.kind === "failed") throw new Error(reply.message);
      const { kind }: { readonly kind: typeof request.kind } = request;
      if (isAnswer(reply, kind)) return reply;
      throw new TypeError(`The process answered "${reply.kind}" to "${request.kind}".`);
    },
    [Symbol.asyncDispose]: async () => {
      end("the engine was closed");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function isAnswer<K extends Request["kind"]>(reply: Answer, kind: K): reply is Answer & { readonly kind: K } {
  return reply.kind === kind;
}

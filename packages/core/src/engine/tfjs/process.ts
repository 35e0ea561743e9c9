import { SHARE_ENV, Worker } from "node:worker_threads";
import { messageOf } from "../../errors/message-of.ts";
import { threadFile } from "../../io/thread-file.ts";
import { transferList } from "../../io/transfer.ts";
import { arraysOf } from "../arrays-of.ts";
import type { HeldRequest, Reply, Request } from "./protocol.ts";
import { heldTensor } from "./tensors.ts";
import type { HeldTensor } from "./tensors.ts";

/** The request as the thread wants it: numbers as TensorFlow.js holds them, each tensor's in memory of its own (they came in one piece). */
function held(request: Request): HeldRequest {
  if (request.kind !== "run") return request;
  try {
    const inputs = Object.entries(request.inputs).map(([name, tensor]): readonly [string, HeldTensor] => {
      const { data, ...rest } = heldTensor(tensor);
      return [name, { ...rest, data: data.byteLength === data.buffer.byteLength ? data : data.slice() }];
    });
    return { ...request, inputs: Object.fromEntries(inputs) };
  } catch (error) {
    return { kind: "unfit", message: messageOf(error) };
  }
}

/**
 * Entry of the process in which TensorFlow.js computes: on a thread, which it blocks. Meanwhile this one takes in the pixels of the next tile and
 * sends off the map of the last one. Libraries read the process's environment, which the thread sets before it loads them.
 */
const thread = new Worker(threadFile("compute-thread", import.meta.url), { env: SHARE_ENV });
process.on("message", (request: Request) => {
  const message = held(request);
  thread.postMessage(message, message.kind === "run" ? [...transferList(arraysOf(message.inputs))] : []);
});
thread.on("message", (reply: Reply) => process.send?.(reply));
// Whoever started it ends it; when a terminal or a service manager tells the whole group, the run goes on until then.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
// Whoever started it is gone. Ending in an orderly way would wait for the run.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

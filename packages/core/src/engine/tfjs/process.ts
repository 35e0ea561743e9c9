import { Worker } from "node:worker_threads";
import { threadFile } from "../../io/thread-file.ts";
import type { Request } from "./protocol.ts";
import { openServer } from "./serve.ts";

/** Entry of the process in which TensorFlow.js computes. */
const answer = openServer();
process.on("message", (request: Request) => {
  void answer(request).then((reply) => process.send?.(reply));
});
// Whoever started it ends it; when a terminal or a service manager tells the whole group, the run goes on until then.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
new Worker(threadFile("watch-thread", import.meta.url)).unref();

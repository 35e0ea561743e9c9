import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../errors/message-of.ts";
import { loadNativeLibraries } from "./native-libraries.ts";
import type { Greeting, ThreadSettings } from "./protocol.ts";

/** Entry of the worker thread: loads ONNX Runtime's binary, which is not there for every platform, and serves. */
const settings: ThreadSettings = workerData;
if (parentPort === null) throw new TypeError("This module runs on a worker thread.");
const port = parentPort;
const runtime = await loadNativeLibraries(settings.provider)
  .then(() => import("./serve.ts"))
  .catch((error: unknown) => {
    const message = messageOf(error);
    port.postMessage({ kind: "unavailable", message, backends: [] } satisfies Greeting);
  });
if (runtime !== undefined) await runtime.serve(port, settings);

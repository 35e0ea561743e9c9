import { parentPort } from "node:worker_threads";
import type { OpenInThread } from "./protocol.ts";
import { serveImage } from "./serve.ts";

/** Entry of a thread that reads images, any number at once. */
parentPort?.on("message", (request: OpenInThread) => void serveImage(request));

import { parentPort } from "node:worker_threads";
import { transferList } from "../../io/transfer.ts";
import { arraysOf } from "../arrays-of.ts";
import type { HeldRequest } from "./protocol.ts";
import { openServer } from "./serve.ts";

/** Entry of the thread on which TensorFlow.js computes. */
const answer = openServer();

async function reply(request: HeldRequest): Promise<void> {
  const given = await answer(request);
  parentPort?.postMessage(given, given.kind === "run" ? [...transferList(arraysOf(given.outputs))] : []);
}

parentPort?.on("message", (request: HeldRequest) => void reply(request));

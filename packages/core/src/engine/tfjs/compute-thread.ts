import { parentPort } from "node:worker_threads";
import { transferList } from "../../io/transfer.ts";
import type { Reply, HeldRequest } from "./protocol.ts";
import { openServer } from "./serve.ts";

/** Entry of the thread on which TensorFlow.js computes. */
const answer = openServer();

async function reply(request: HeldRequest): Promise<void> {
  const given = await answer(request);
  parentPort?.postMessage(given, [...transferList(arraysOf(given))]);
}

function arraysOf(given: Reply): readonly ArrayBufferView[] {
  return given.kind === "run" ? Object.values(given.outputs).map(({ data }) => data) : [];
}

parentPort?.on("message", (request: HeldRequest) => void reply(request));

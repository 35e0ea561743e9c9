import type { MessagePort } from "node:worker_threads";
import { env, InferenceSession, listSupportedBackends } from "onnxruntime-node";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import { messageOf } from "../../errors/message-of.ts";
import { encodeOnnx } from "../../format/onnx/encode.ts";
import { input, relu } from "../../graph/build.ts";
import { graphOf } from "../../graph/graph.ts";
import { transferList } from "../../io/transfer.ts";
import { openInbox } from "./inbox.ts";
import { arraysOf } from "../arrays-of.ts";
import type { Greeting, Reply, Request, Tensors, ThreadSettings } from "./protocol.ts";
import { probeOptions, sessionOptions } from "./providers.ts";
import { openSessionPool } from "./session-pool.ts";
import type { SessionPool } from "./session-pool.ts";
import { fromOrtTensor, toOrtTensor } from "./tensors.ts";

/** The thread's side: answers requests in the order in which they came, until it is told to close. */
export async function serve(port: MessagePort, settings: ThreadSettings): Promise<void> {
  // What goes wrong is reported in replies; the runtime's own log would mix with the program's output.
  env.logLevel = "fatal";
  const options = sessionOptions(settings);
  const fault = await faultOf(probeOptions(settings));
  if (fault !== undefined) {
    greet(port, { kind: "unavailable", message: fault, backends: listSupportedBackends().map(({ name }) => name) });
    return;
  }
  await using pool = openSessionPool(options, settings);
  const inbox = openInbox(port);
  greet(port, { kind: "ready", version: env.versions.node ?? "unknown" });
  for (let request = await inbox.next(); request !== undefined; request = await inbox.next()) {
    await answer(port, pool, request);
  }
  port.close();
}

function greet(port: MessagePort, greeting: Greeting): void {
  port.postMessage(greeting);
}

/**
 * Why this provider can't compute here; found out by computing something. What a provider can't compute is left to the
 * CPU: not so here, or a GPU that is not there would be one that is slow.
 */
async function faultOf(options: InferenceSession.SessionOptions): Promise<string | undefined> {
  try {
    const probe = graphOf({ y: relu(input("x", { type: "float32", shape: [1] })) });
    const session = await InferenceSession.create(encodeOnnx(probe), options);
    await session.run({ x: toOrtTensor({ type: "float32", shape: [1], data: Float32Array.of(1) }) });
    await session.release();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function answer(port: MessagePort, pool: SessionPool, request: Request): Promise<void> {
  const { id } = request;
  let reply: Reply;
  try {
    reply = { id, ...(await perform(pool, request)) };
  } catch (error) {
    reply = { id, kind: "failed", message: messageOf(error) };
  }
  port.postMessage(reply, reply.kind === "ran" ? transferList([reply.outputs, reply.spent].flatMap(arraysOf)) : []);
}

type Done =
  | { readonly kind: "compiled" | "forgotten" }
  | { readonly kind: "ran"; readonly outputs: Tensors; readonly spent: Tensors; readonly busySeconds: number };

async function perform(pool: SessionPool, request: Request): Promise<Done> {
  switch (request.kind) {
    case "compile":
      await pool.add(request.program, request);
      return { kind: "compiled" };
    case "run":
      return pool.use(request.program, (session) => runSession(session, request));
    case "forget":
      await pool.remove(request.program);
      return { kind: "forgotten" };
    default:
      return request satisfies never;
  }
}

/** ONNX Runtime writes into the memory that it is given for its outputs: its own would have to be copied for another thread. */
async function runSession(
  session: InferenceSession,
  { inputs, outputs: memory }: { readonly inputs: Tensors; readonly outputs: Tensors },
): Promise<Done> {
  const feeds = ortTensors(inputs);
  const fetches = ortTensors(memory);
  const started = performance.now();
  const results = await session.run(feeds, fetches);
  const busySeconds = (performance.now() - started) / 1000;
  const outputs = Object.entries(results).map(([name, tensor]) => [name, fromOrtTensor(tensor)] as const);
  return { kind: "ran", outputs: Object.fromEntries(outputs), spent: inputs, busySeconds };
}

function ortTensors(tensors: Tensors): Readonly<Record<string, OrtTensor>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrtTensor(tensor)]));
}

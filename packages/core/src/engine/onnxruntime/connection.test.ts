import { once } from "node:events";
import { markAsUntransferable, Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { connectTo } from "./connection.ts";

/** A thread that does what `body` says; `port` is its parent's. */
function threadOf(body: string): Worker {
  return new Worker(`const { parentPort: port } = require("node:worker_threads");\n${body}`, { eval: true });
}

/** Answers every request with "forgotten", after what it withdrew. */
const willing = `
  const seen = [];
  port.on("message", (message) => {
    if (message.kind === "close") port.close();
    else if (message.kind === "withdraw") seen.push(message.id);
    else if (message.program === 0) seen.push("asked " + message.id);
    else port.postMessage({ id: message.id, kind: "failed", message: seen.join(", ") });
  });`;

const forget = (program: number) => ({ kind: "forget", program }) as const;

test("a reply goes to the one who asked, and a failure names the operation", async () => {
  await using connection = connectTo(
    threadOf(`
      const waiting = [];
      port.on("message", (message) => {
        if (message.kind === "close") port.close();
        else waiting.push(message);
        if (waiting.length < 2) return;
        const [first, second] = waiting.splice(0);
        port.postMessage({ id: second.id, kind: "failed", message: "out of memory" });
        port.postMessage({ id: first.id, kind: "forgotten" });
      });`),
  );
  const first = connection.ask(forget(1), { operation: "Running one" });
  const second = connection.ask(forget(2), { operation: "Running two" });
  await expect(second).rejects.toMatchObject({
    code: "engine-failed",
    message: "Running two with ONNX Runtime: expected a result, got: out of memory",
  });
  expect((await first).kind).toBe("forgotten");
});

test("what is given up is withdrawn from the thread, and rejects with the signal's reason", async () => {
  await using connection = connectTo(threadOf(willing));
  const controller = new AbortController();
  const given = connection.ask(forget(0), { operation: "Waiting", signal: controller.signal });
  const reason = new Error("no longer wanted");
  controller.abort(reason);
  await expect(given).rejects.toBe(reason);
  await expect(connection.ask(forget(1), { operation: "Asking" })).rejects.toThrow("got: asked 1, 1");
});

test("a thread that dies fails what waits and what comes later, with what is known of the reason", async () => {
  const worker = threadOf(`port.once("message", () => { throw new Error("a null pointer"); });`);
  const connection = connectTo(worker);
  const waiting = Promise.allSettled([1, 2].map((id) => connection.ask(forget(id), { operation: `Run ${id}` })));
  for (const result of await waiting) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "engine-failed" } });
    expect(String(result.status === "rejected" ? result.reason : "")).toMatch(/a null pointer/);
  }
  await expect(connection.ask(forget(3), { operation: "Run 3" })).rejects.toThrow(/Run 3.*a null pointer/);
  await connection[Symbol.asyncDispose]();
});

test("a thread that just ends fails what waits", async () => {
  const worker = threadOf(`port.once("message", () => process.exit(7));`);
  const connection = connectTo(worker);
  await expect(connection.ask(forget(1), { operation: "Running" })).rejects.toThrow(/ended with status 7/);
  await connection[Symbol.asyncDispose]();
});

test("closing waits until the thread is gone, and fails what waits", async () => {
  const worker = threadOf(willing);
  let gone = false;
  void once(worker, "exit").then(() => {
    gone = true;
  });
  const connection = connectTo(worker);
  const waiting = connection.ask(forget(0), { operation: "Waiting" });
  const refused = expect(waiting).rejects.toThrow("the engine was closed");
  await connection[Symbol.asyncDispose]();
  await refused;
  expect(gone).toBe(true);
});

test("a buffer that can't leave the main thread is copied", async () => {
  await using connection = connectTo(
    threadOf(`
      port.on("message", (message) => {
        if (message.kind === "close") port.close();
        else port.postMessage({ id: message.id, kind: "failed", message: String(message.bytes.byteLength) });
      });`),
  );
  // As a native library's buffers: owned by somebody else.
  const buffer = new ArrayBuffer(65536);
  markAsUntransferable(buffer);
  const model = { bytes: new Uint8Array(buffer), frequent: false, workingBytes: 0 };
  const question = { kind: "compile", program: 1, ...model } as const;
  await expect(connection.ask(question, { operation: "Sending", transfer: [buffer] })).rejects.toThrow("got: 65536");
  expect(buffer.byteLength).toBe(65536);
});

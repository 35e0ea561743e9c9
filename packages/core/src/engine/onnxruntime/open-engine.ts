import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { threadFile } from "../../io/thread-file.ts";
import { checkSettings } from "../check-settings.ts";
import type { Engine } from "../engine.ts";
import { cudaDevice } from "../cuda-device.ts";
import { tellLibraries } from "../environment.ts";
import { warmLimits } from "../memory.ts";
import type { WarmSettings } from "../memory.ts";
import { compilerOf } from "./compile.ts";
import { connectTo } from "./connection.ts";
import type { Greeting, ThreadSettings } from "./protocol.ts";
import { providerRule } from "./providers.ts";
import type { Provider } from "./providers.ts";
import { refuseTelemetry } from "./telemetry.ts";
import { usablePrecisions } from "./usable-precisions.ts";

export interface OnnxRuntimeOptions extends Abortable, WarmSettings {
  /** Default: cpu. */
  readonly provider?: Provider;
  /** Threads that compute together on the CPU. Default: one for each core that the process may use. */
  readonly threads?: number;
  /** Index of the accelerator. Default: 0. */
  readonly device?: number;
}

/**
 * ONNX Runtime on a worker thread, because it blocks the one it runs on. Graphs are compiled there once; tensors are
 * handed over without copying. The thread ends when the engine is disposed of: runs that wait then fail.
 * @throws {SlidelightError} `usage`; `engine-unavailable` where the provider can't compute here: what is there, how to get it.
 */
export async function openOnnxRuntimeEngine(options: OnnxRuntimeOptions = {}): Promise<Engine> {
  const { provider = "cpu", threads = availableParallelism(), device = 0, signal } = options;
  checkSettings(options);
  const { warmBytes = 0 } = options;
  if (!Number.isInteger(warmBytes) || warmBytes < 0) {
    throw new RangeError(`Opening ONNX Runtime: warmBytes is an integer from 0, got ${warmBytes}.`);
  }
  signal?.throwIfAborted();
  const rule = providerRule(provider);
  if (device !== 0 && !rule.choosesDevice) {
    throw new SlidelightError(
      "engine-unavailable",
      `Opening ONNX Runtime: expected device 0, which is all that the provider ${provider} can be given, got ${device}. Leave --device away.`,
    );
  }
  refuseTelemetry();
  tellLibraries(rule.environment);
  const gpu = rule.choosesDevice ? await cudaDevice(device) : undefined;
  const warm = warmLimits(options, provider === "cpu" ? undefined : { memoryBytes: gpu?.memoryBytes });
  const settings: ThreadSettings = { provider, threads, device, warm };
  const worker = new Worker(threadFile("thread", import.meta.url), {
    name: `onnxruntime-${provider}`,
    workerData: settings,
    execArgv: [],
  });
  const greeting = await greetingOf(worker, provider);
  const connection = connectTo(worker);
  if (signal?.aborted === true) {
    await connection[Symbol.asyncDispose]();
    throw signal.reason;
  }
  const engine: Engine = {
    name: "onnxruntime",
    provider,
    version: greeting.version,
    device: provider === "cpu" ? `${threads} threads` : (gpu?.name ?? `${provider} device ${device}`),
    precisions: rule.precisions,
    widest: "float64",
    keepsOrder: false,
    composition: rule.composition,
    alikeTiles: rule.alikeTiles,
    resizes: () => false,
    overhead: rule.overhead,
    ...(gpu === undefined ? {} : { memoryBytes: gpu.memoryBytes }),
    compile: compilerOf(connection, provider),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
  if (provider === "cpu") return engine;
  try {
    return { ...engine, precisions: await usablePrecisions(engine, { signal }) };
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits until the thread can compute. @throws {SlidelightError} `engine-unavailable`. */
async function greetingOf(worker: Worker, provider: Provider): Promise<Greeting & { readonly kind: "ready" }> {
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const greeting = await new Promise<Greeting>((resolve) => {
    const give = (message: string): void => resolve({ kind: "unavailable", message, backends: [] });
    worker.once("message", resolve);
    worker.once("error", (error) => give(error.message));
    worker.once("exit", (code) => give(`its thread ended with status ${code}`));
  });
  if (greeting.kind === "ready") return greeting;
  await exited;
  const { backends, message } = greeting;
  const known = backends.length === 0 ? "" : ` This build knows the providers ${backends.join(", ")}.`;
  throw new SlidelightError(
    "engine-unavailable",
    `Opening ONNX Runtime: expected to compute with the provider ${provider}, got: ${message.trim()}.${known} ${providerRule(provider).advice}`,
    { detail: { provider, backends: backends.join(" ") } },
  );
}

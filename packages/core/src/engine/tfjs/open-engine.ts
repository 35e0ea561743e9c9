import { availableParallelism } from "node:os";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { checkSettings } from "../check-settings.ts";
import { cudaDevice } from "../cuda-device.ts";
import type { Engine } from "../engine.ts";
import { notBegun } from "./child.ts";
import { compilerOn } from "./compile.ts";
import { openComputer } from "./computer.ts";
import { isInstalled } from "./installation.ts";
import type { ProcessSettings, Provider, TensorMemory } from "./protocol.ts";

export interface TfjsOptions extends Abortable {
  /** Default: the first of gpu, cpu and wasm that is there. */
  readonly provider?: Provider;
  /** Threads that compute together on the CPU. Default: one for each core that the process may use. wasm has one. */
  readonly threads?: number;
  /** Index of the GPU. Default: 0. */
  readonly device?: number;
}

export interface TfjsEngine extends Engine {
  /** What TensorFlow.js holds now: the constants of the programs, and between runs nothing else. */
  memory(): Promise<TensorMemory>;
  /** Of the process that computes; another one after it died. */
  processId(): number | undefined;
}

/**
 * Layouts and work space, as a multiple of the values that are alive: measured on U-Nets 1.3 (with gradients) to 1.9 with
 * libtensorflow, 2.3 to 3.3 on wasm, whose memory never shrinks and has gaps.
 */
const overheads: { readonly [P in Provider]: number } = { gpu: 2, cpu: 2, wasm: 3.3 };

/**
 * TensorFlow.js in a process of its own: it blocks the thread that it runs on, keeps its memory outside JavaScript's, and
 * does not bear several threads. When the process dies, the run fails and the next one has a new process.
 * @throws {SlidelightError} `usage`; `engine-unavailable` where the provider can't compute here: what is missing, how to get it.
 */
export async function openTfjsEngine(options: TfjsOptions = {}): Promise<TfjsEngine> {
  checkSettings(options);
  const { provider, ...others } = options;
  if (provider !== undefined) return openOn(provider, others);
  for (const candidate of ["gpu", "cpu"] as const) {
    if (!isInstalled(candidate)) continue;
    try {
      return await openOn(candidate, others);
    } catch (error) {
      if (!(error instanceof SlidelightError)) throw error;
    }
  }
  return openOn("wasm", others);
}

async function openOn(provider: Provider, options: Omit<TfjsOptions, "provider">): Promise<TfjsEngine> {
  const { threads = availableParallelism(), device = 0, signal } = options;
  signal?.throwIfAborted();
  const settings = { provider, threads, device };
  const gpu = provider === "gpu" ? await cudaDevice(device) : undefined;
  const computer = await openComputer(settings);
  if (signal?.aborted === true) {
    await computer[Symbol.asyncDispose]();
    throw signal.reason;
  }
  return {
    name: "tfjs",
    provider,
    version: computer.last().version,
    device: gpu?.name ?? devices[provider](settings),
    precisions: ["float32"],
    widest: "float32",
    keepsOrder: true,
    // With libtensorflow a tenth faster, on wasm half as fast; on a GPU it was not measured.
    composition: provider === "cpu" ? { channelMultiple: 1 } : undefined,
    alikeTiles: false,
    resizes: () => false,
    overhead: overheads[provider],
    ...(gpu === undefined ? {} : { memoryBytes: gpu.memoryBytes }),
    compile: compilerOn(computer),
    memory: () =>
      computer.inTurn("Asking for memory", async () => {
        const { child } = await computer.living();
        const answer = await child.ask({ kind: "memory" });
        return answer === notBegun ? answer : answer.memory;
      }),
    processId: () => computer.last().child.processId,
    [Symbol.asyncDispose]: () => computer[Symbol.asyncDispose](),
  };
}

const devices: { readonly [P in Provider]: (settings: ProcessSettings) => string } = {
  gpu: ({ device }) => `GPU device ${device}`,
  cpu: ({ threads }) => `${threads} threads`,
  wasm: () => "1 thread",
};

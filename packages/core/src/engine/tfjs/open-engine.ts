import { availableParallelism } from "node:os";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { stepsOf } from "../../graph/steps.ts";
import type { Steps } from "../../graph/steps.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { checkInputs } from "../check-inputs.ts";
import { checkSettings } from "../check-settings.ts";
import { cudaDevice } from "../cuda-device.ts";
import type { Engine, RunResult } from "../engine.ts";
import { openSerialQueue } from "../serial-queue.ts";
import type { QueueOptions } from "../serial-queue.ts";
import { startChild } from "./child.ts";
import type { Child } from "./child.ts";
import { advice, isInstalled } from "./installation.ts";
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

/** A process that computes, and the programs that it has. */
interface Running {
  readonly child: Child;
  readonly version: string;
  readonly programs: Set<number>;
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
  const queue = openSerialQueue();
  let running = await start(settings);
  let closed = false;
  let programs = 0;
  if (signal?.aborted === true) {
    await running.child[Symbol.asyncDispose]();
    throw signal.reason;
  }

  /** The process, with the program: anew where the one that had it died. */
  const having = async (program: number, steps: Steps): Promise<Child> => {
    if (running.child.ended() !== undefined && !closed) running = await start(settings);
    const { child, programs } = running;
    // Closed meanwhile: nobody waits for what it would compute.
    if (closed) throw new Error("the engine was closed");
    if (!programs.has(program)) await child.ask({ kind: "compile", program, steps });
    programs.add(program);
    return child;
  };
  /** In turn. What goes wrong names the operation. */
  const queued = <T>(
    operation: string,
    work: () => Promise<T>,
    options: Omit<QueueOptions, "closed"> = {},
  ): Promise<T> => {
    const attempt = async (): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        throw failure(operation, error instanceof Error ? error.message : String(error), error);
      }
    };
    return queue.ask(attempt, { ...options, closed: () => failure(operation, "the engine was closed") });
  };

  return {
    name: "tfjs",
    provider,
    version: running.version,
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
    compile: async (graph, { label = "a graph", precision = "float32", signal } = {}) => {
      const operation = `Compiling "${label}"`;
      if (precision !== "float32") throw failure(operation, `the precision ${precision}; it has float32`);
      programs += 1;
      const program = programs;
      const steps = stepsOf(graph);
      let disposed = false;
      const dispose = async (): Promise<void> => {
        if (disposed) return;
        disposed = true;
        const forget = async (): Promise<void> => {
          if (running.programs.delete(program)) await running.child.ask({ kind: "forget", program });
        };
        // With the process, its programs are gone.
        await queued(`Disposing of "${label}"`, forget, { program, early: true }).catch(() => undefined);
      };
      try {
        await queued(operation, () => having(program, steps), { signal, program });
      } catch (error) {
        // Given up while it was being compiled: the process will have it all the same.
        void dispose();
        throw error;
      }
      return {
        inputs: graph.inputs.map(({ name }) => name),
        run: async (inputs, { signal } = {}) => {
          checkInputs(graph, inputs, label);
          const operation = `Running "${label}"`;
          if (disposed) throw failure(operation, closed ? "the engine was closed" : "the program was disposed of");
          const work = async (): Promise<RunResult> => {
            const child = await having(program, steps);
            const { outputs, busySeconds } = await child.ask({ kind: "run", program, inputs });
            return { outputs, busySeconds };
          };
          return queued(operation, work, { signal, program });
        },
        [Symbol.asyncDispose]: dispose,
      };
    },
    memory: () => queued("Asking for memory", async () => (await running.child.ask({ kind: "memory" })).memory),
    processId: () => running.child.processId,
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await running.child[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      // One that was being started meanwhile.
      await running.child[Symbol.asyncDispose]();
    },
  };
}

const devices: { readonly [P in Provider]: (settings: ProcessSettings) => string } = {
  gpu: ({ device }) => `GPU device ${device}`,
  cpu: ({ threads }) => `${threads} threads`,
  wasm: () => "1 thread",
};

/** @throws {SlidelightError} `engine-unavailable`. */
async function start(settings: ProcessSettings): Promise<Running> {
  const { provider } = settings;
  const unavailable = (reason: string, cause?: unknown): SlidelightError =>
    new SlidelightError(
      "engine-unavailable",
      `Opening TensorFlow.js: expected to compute with the provider ${provider}, got: ${reason}. ${advice[provider]}`,
      { cause },
    );
  if (!isInstalled(provider)) throw unavailable("no libtensorflow with its binding");
  const child = startChild();
  try {
    const { version } = await child.ask({ kind: "open", settings });
    return { child, version, programs: new Set() };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw unavailable(error instanceof Error ? error.message : String(error), error);
  }
}

function failure(operation: string, reason: string, cause?: unknown): SlidelightError {
  return new SlidelightError("engine-failed", `${operation} with TensorFlow.js: expected a result, got: ${reason}`, {
    cause,
  });
}

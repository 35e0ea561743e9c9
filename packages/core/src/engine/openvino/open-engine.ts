import { availableParallelism } from "node:os";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { digestOfModel } from "../../format/onnx/digest-of-model.ts";
import { modelProto } from "../../format/onnx/encode.ts";
import type { Graph } from "../../graph/graph.ts";
import { peakActivationBytes } from "../../graph/memory.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { checkInputs } from "../check-inputs.ts";
import { checkSettings } from "../check-settings.ts";
import type { Engine, Precision, RunResult } from "../engine.ts";
import { narrowness, spareBytesOf, warmLimits } from "../memory.ts";
import type { WarmSettings } from "../memory.ts";
import { openSerialQueue } from "../serial-queue.ts";
import { openWarmPool } from "../warm-pool.ts";
import { boundedInputs } from "./bounded-inputs.ts";
import { loadOpenVino, unavailable } from "./library.ts";
import type { Handle, OpenVino } from "./library.ts";
import { closeRequest, openRequest, runRequest } from "./request.ts";
import type { OpenVinoModel, Request } from "./request.ts";
import { resizes } from "./resizes.ts";
import { suited } from "./rewrite.ts";

export interface OpenVinoOptions extends Abortable, WarmSettings {
  /** Default: cpu. */
  readonly provider?: "cpu" | "gpu";
  /** Index of the GPU. Default: 0. */
  readonly device?: number;
  /** Threads that compute together on the CPU. Default: one for each core that the process may use. */
  readonly threads?: number;
  /** Path of the C library; where `npm run setup:openvino` puts it when absent. */
  readonly library?: string;
}

/** Compiled models at once: each holds the weights as its kernels like them. */
const modelLimit = 16;
/** Layouts and work space, as a multiple of the values that are alive: measured 0.8 to 1.1 on U-Nets, gradients included, and 1.3 in models for all sizes. */
const overheads = { ofOneSize: 1.1, ofAllSizes: 1.3 } as const;

/**
 * OpenVINO through its C library, by asynchronous foreign calls: it computes on threads of its own, and no JavaScript thread
 * waits. The graph's ONNX bytes are what it reads.
 * @throws {SlidelightError} `usage`; `engine-unavailable` where the library or the device is missing: how to get it.
 */
export async function openOpenVinoEngine(options: OpenVinoOptions = {}): Promise<Engine> {
  const { provider = "cpu", device = 0, threads = availableParallelism(), signal } = options;
  checkSettings(options);
  signal?.throwIfAborted();
  const library = loadOpenVino(options.library);
  const core = createCore(library);
  const deviceName = provider === "cpu" ? "CPU" : `GPU.${device}`;
  const capabilities = capabilitiesOf(library, core, deviceName);
  // On its GPU it was not measured.
  const isResizable = provider === "cpu" ? resizes : (): boolean => false;
  const queue = openSerialQueue();
  const pool = openWarmPool<OpenVinoModel, Request>({
    warm: warmLimits(options, provider === "cpu" ? undefined : capabilities),
    spareBytes: spareBytesOf(provider),
    limit: modelLimit,
    open: (model) => openRequest(library, { core, model }, { device: deviceName, threads }),
    close: (request) => closeRequest(library, request),
  });
  let programs = 0;
  let closed = false;
  return {
    name: "openvino",
    provider,
    version: library.version,
    device: provider === "cpu" ? `${capabilities.name}, ${threads} threads` : capabilities.name,
    precisions: capabilities.precisions,
    widest: "float32",
    keepsOrder: true,
    // On its GPU it was not measured.
    composition: provider === "cpu" ? { channelMultiple: 1 } : undefined,
    alikeTiles: false,
    resizes: isResizable,
    overhead: overheads.ofOneSize,
    resizedOverhead: overheads.ofAllSizes,
    ...(capabilities.memoryBytes === undefined ? {} : { memoryBytes: capabilities.memoryBytes }),
    compile: async (graph, { label = "a graph", frequent = false, precision = "float32", signal } = {}) => {
      programs += 1;
      const program = programs;
      const open = async (): Promise<void> => {
        const settings = { precision, frequent };
        if (isResizable(graph)) {
          const isTaken = await pool.add(program, modelOf(graph, { ...settings, dynamicAxes: true })).then(
            () => true,
            () => false,
          );
          if (isTaken) return;
          signal?.throwIfAborted();
        }
        // What it does not take for any size, it may take for one.
        await pool.add(program, modelOf(graph, { ...settings, dynamicAxes: false }));
      };
      signal?.throwIfAborted();
      const operation = `Compiling "${label}"`;
      if (closed) throw failure(operation, "the engine was closed");
      // Beside the runs: another program may compute while this one is compiled.
      const compiling = attempt(operation, open);
      await withdrawable(
        compiling,
        signal,
        () =>
          void compiling.then(
            () => pool.remove(program),
            () => undefined,
          ),
      );
      let disposed = false;
      return {
        inputs: graph.inputs.map(({ name }) => name),
        run: async (inputs, { signal } = {}) => {
          checkInputs(graph, inputs, label);
          const operation = `Running "${label}"`;
          if (disposed) throw failure(operation, "the program was disposed of");
          const work = (): Promise<RunResult> =>
            attempt(operation, () => pool.use(program, (request) => runRequest(library, request, { graph, inputs })));
          if (signal?.aborted !== true) pool.prepare(program);
          return queue.ask(work, {
            signal,
            program,
            takesMemory: () => !pool.holds(program),
            closed: () => failure(operation, "the engine was closed"),
          });
        },
        [Symbol.asyncDispose]: async () => {
          if (disposed) return;
          disposed = true;
          // With the engine, its programs are gone.
          const gone = (): Error => failure(`Disposing of "${label}"`, "the engine was closed");
          await queue.ask(() => pool.remove(program), { program, early: true, closed: gone }).catch(() => undefined);
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      if (closed) return;
      closed = true;
      await queue[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
      library.free("freeCore", core);
    },
  };
}

/** @param options.dynamicAxes Whether it is one model for all sizes. */
function modelOf(
  graph: Graph,
  options: Pick<OpenVinoModel, "precision" | "frequent"> & { readonly dynamicAxes: boolean },
): OpenVinoModel {
  const { precision, frequent, dynamicAxes } = options;
  const proto = modelProto(suited(graph, precision), { splits: true, windowMaxima: true, dynamicAxes });
  const bounded = dynamicAxes ? boundedInputs(graph) : [];
  const overhead = dynamicAxes ? overheads.ofAllSizes : overheads.ofOneSize;
  return {
    ...(dynamicAxes ? { key: [precision, JSON.stringify(bounded), digestOfModel(proto)].join(" ") } : {}),
    proto,
    bounded,
    precision,
    frequent,
    workingBytes: overhead * peakActivationBytes(graph) * narrowness[precision],
  };
}

/** The same, until the signal aborts: then its reason, at once, and `abandon` for what still goes on. */
async function withdrawable<T>(work: Promise<T>, signal: AbortSignal | undefined, abandon: () => void): Promise<T> {
  if (signal === undefined) return work;
  let withdraw = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    withdraw = () => {
      abandon();
      reject(signal.reason);
    };
    signal.addEventListener("abort", withdraw, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", withdraw);
  }
}

async function attempt<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(operation, error instanceof Error ? error.message : String(error), error);
  }
}

function failure(operation: string, reason: string, cause?: unknown): SlidelightError {
  return new SlidelightError("engine-failed", `${operation} with OpenVINO: expected a result, got: ${reason}`, {
    cause,
  });
}

interface Capabilities {
  readonly name: string;
  readonly precisions: readonly Precision[];
  /** Of a GPU. */
  readonly memoryBytes?: number;
}

const capabilityNames: { readonly [P in Exclude<Precision, "float32">]: string } = {
  bfloat16: "BF16",
  float16: "FP16",
};

/** @throws {SlidelightError} `engine-unavailable` when the library can't compute at all. */
function createCore(library: OpenVino): Handle {
  try {
    return library.make("createCore", (out) => [out]);
  } catch (error) {
    throw unavailable(
      "one that starts",
      error,
      "Its folder must hold the plugins and plugins.xml of the same release.",
    );
  }
}

/** @throws {SlidelightError} `engine-unavailable` when the device is not there. */
function capabilitiesOf(library: OpenVino, core: Handle, device: string): Capabilities {
  const ask = (key: string): string => library.takeText(library.make("property", (out) => [core, device, key, out]));
  try {
    const words = new Set(ask("OPTIMIZATION_CAPABILITIES").split(/\s+/u));
    const narrow = (["bfloat16", "float16"] as const).filter((precision) => words.has(capabilityNames[precision]));
    const memoryBytes = device === "CPU" ? Number.NaN : Number(ask("GPU_DEVICE_TOTAL_MEM_SIZE"));
    return {
      name: ask("FULL_DEVICE_NAME").trim(),
      precisions: ["float32", ...narrow],
      ...(Number.isFinite(memoryBytes) ? { memoryBytes } : {}),
    };
  } catch (error) {
    library.free("freeCore", core);
    throw unavailable(`the device ${device}`, error, "A GPU needs its driver; or use the cpu provider.");
  }
}

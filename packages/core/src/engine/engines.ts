import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Engine } from "./engine.ts";
import type { WarmSettings } from "./memory.ts";

/** What is common to all engines; each has a default for what is absent. */
export interface EngineSettings extends Abortable, Pick<WarmSettings, "memoryBytes"> {
  /** Threads that compute together on a CPU, at most `mostThreads`. Default: one for each core that the process may use. */
  readonly threads?: number;
  /** Index of the accelerator. Default: 0. */
  readonly device?: number;
  /** Path of an engine's native library, where it is looked for nowhere else. */
  readonly library?: string;
}

interface ProviderEntry {
  /** What it computes on. */
  readonly text: string;
  /** Whether it is a device beside the CPU. */
  readonly accelerator: boolean;
  /** How to get what it needs. */
  readonly advice: string;
  open(settings: EngineSettings): Promise<Engine>;
}

interface EngineEntry {
  readonly text: string;
  /** On the provider that it takes when none is named. */
  open(settings: EngineSettings): Promise<Engine>;
  readonly providers: Readonly<Record<string, ProviderEntry>>;
}

/** Native parts are loaded when an engine is opened, not before. */
const onnxruntime =
  (provider: "cpu" | "webgpu" | "cuda" | "tensorrt") =>
  async ({ library: _, ...settings }: EngineSettings): Promise<Engine> => {
    const { openOnnxRuntimeEngine } = await import("./onnxruntime/index.ts");
    return openOnnxRuntimeEngine({ ...settings, provider });
  };

const openvino =
  (provider: "cpu" | "gpu") =>
  async (settings: EngineSettings): Promise<Engine> => {
    const { openOpenVinoEngine } = await import("./openvino/index.ts");
    return openOpenVinoEngine({ ...settings, provider });
  };

const tfjs =
  (provider?: "gpu" | "cpu" | "wasm") =>
  async ({ library: _, ...settings }: EngineSettings): Promise<Engine> => {
    const { openTfjsEngine } = await import("./tfjs/index.ts");
    return openTfjsEngine({ ...settings, ...(provider === undefined ? {} : { provider }) });
  };

/** What can compute graphs, and on what. Everything that names an engine asks here. */
export const engines = {
  onnxruntime: {
    text: "ONNX Runtime, of the npm package onnxruntime-node",
    open: onnxruntime("cpu"),
    providers: {
      cpu: {
        text: "CPU",
        accelerator: false,
        advice: "npm ci brings it, for Linux, macOS (arm64) and Windows",
        open: onnxruntime("cpu"),
      },
      cuda: {
        text: "NVIDIA GPU",
        accelerator: true,
        advice: "needs an NVIDIA GPU and its driver, then: npm run setup:cuda",
        open: onnxruntime("cuda"),
      },
      tensorrt: {
        text: "NVIDIA GPU, by TensorRT",
        accelerator: true,
        advice: "needs an NVIDIA GPU, its driver and TensorRT, then: npm run setup:cuda",
        open: onnxruntime("tensorrt"),
      },
      webgpu: {
        text: "any GPU with a Vulkan or Metal driver",
        accelerator: true,
        advice: "needs a GPU with a Vulkan driver and its loader (Debian: libvulkan1 and the vendor's driver)",
        open: onnxruntime("webgpu"),
      },
    },
  },
  openvino: {
    text: "OpenVINO, called through its C library",
    open: openvino("cpu"),
    providers: {
      cpu: { text: "CPU", accelerator: false, advice: "npm run setup:openvino", open: openvino("cpu") },
      gpu: {
        text: "Intel GPU",
        accelerator: true,
        advice: "needs an Intel GPU and its driver, then: npm run setup:openvino",
        open: openvino("gpu"),
      },
    },
  },
  tfjs: {
    text: "TensorFlow.js, in a process of its own",
    open: tfjs(),
    providers: {
      gpu: {
        text: "NVIDIA GPU, by libtensorflow",
        accelerator: true,
        advice: "needs an NVIDIA GPU and its driver, then: npm run setup:tfjs -- --gpu",
        open: tfjs("gpu"),
      },
      cpu: { text: "CPU, by libtensorflow", accelerator: false, advice: "npm run setup:tfjs", open: tfjs("cpu") },
      wasm: { text: "CPU, by WebAssembly", accelerator: false, advice: "npm ci brings it", open: tfjs("wasm") },
    },
  },
} as const satisfies Readonly<Record<string, EngineEntry>>;

export type EngineName = keyof typeof engines;

export const engineNames = ["onnxruntime", "openvino", "tfjs"] as const satisfies readonly EngineName[];

/** An engine on a provider, as `--engine openvino --provider cpu` names it. */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly provider: string;
  /** What it computes on. */
  readonly text: string;
  readonly accelerator: boolean;
  readonly advice: string;
}

/** Every engine on each of its providers. */
export const engineChoices: readonly EngineChoice[] = engineNames.flatMap((engine) =>
  Object.entries<ProviderEntry>(engines[engine].providers).map(([provider, { text, accelerator, advice }]) => {
    return { engine, provider, text, accelerator, advice };
  }),
);

export interface EngineRequest extends EngineSettings {
  readonly engine: EngineName;
  /** Default: cpu; for tfjs the first of gpu, cpu and wasm that is there. */
  readonly provider?: string;
}

/**
 * Opens an engine by name.
 * @throws {SlidelightError} `usage` for a provider that the engine does not have, or a setting out of its bounds; `engine-unavailable` where it can't
 * compute here: what is missing, how to get it.
 */
export async function openEngine({ engine, provider, ...settings }: EngineRequest): Promise<Engine> {
  const { open, providers }: EngineEntry = engines[engine];
  if (provider === undefined) return open(settings);
  const entry = Object.hasOwn(providers, provider) ? providers[provider] : undefined;
  if (entry === undefined) {
    throw new SlidelightError(
      "usage",
      `Opening the engine ${engine}: expected a provider among ${Object.keys(providers).join(", ")}, got "${provider}".`,
    );
  }
  return entry.open(settings);
}

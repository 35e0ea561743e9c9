import type { InferenceSession } from "onnxruntime-node";
import type { Composition } from "../../graph/composition/composition.ts";
import type { Precision } from "../engine.ts";
import type { ThreadSettings } from "./protocol.ts";

interface ProviderRule {
  /** Whether `device` chooses among several. */
  readonly choosesDevice: boolean;
  /** Environment variables that its libraries read; what the user set stays. */
  readonly environment: Readonly<Record<string, string>>;
  /** What programs can be compiled to. */
  readonly precisions: readonly Precision[];
  /** Those of them in which convolutions are faster on channels that lie last. */
  readonly channelsLast: readonly Precision[];
  /**
   * Layouts and work space, as a multiple of the values that are alive: measured on U-Nets 1.6 (with gradients) to 2.7 on a CPU, 1.6 to
   * 2.6 on an H200, there less where all programs are counted together.
   */
  readonly overhead: number;
  /** See `Engine`. CUDA: saliency in float16 takes 0.89 of the time, all else as long; on a CPU its transposed convolutions are slow. */
  readonly composition?: Composition;
  /** See `Engine`. CUDA: 0.4 to 2.4 s a program, most of it cuDNN's search for the quickest convolutions; TensorRT searches for longer; others were not measured. */
  readonly alikeTiles: boolean;
  /** ONNX Runtime's own settings; what a provider can't compute falls back to the CPU. */
  readonly executionProviders: (settings: ThreadSettings) => InferenceSession.SessionOptions["executionProviders"];
  /** What to do where the provider is missing. */
  readonly advice: string;
}

/**
 * ONNX Runtime's binding passes the CUDA provider no setting but the device's index (js/node/src/session_options_helper.cc).
 * TensorFloat-32, with 10 bits of fraction, is on by default: this turns it off in all of NVIDIA's libraries, so that
 * float32 is float32.
 */
const noTensorFloat32 = { NVIDIA_TF32_OVERRIDE: "0" } as const;

/** Matrix units want channels in eights. */
const matrixUnits: Composition = { channelMultiple: 8 };

/** What ONNX Runtime can compute on. */
export const providers = {
  cpu: {
    choosesDevice: false,
    environment: {},
    precisions: ["float32"],
    channelsLast: [],
    overhead: 2.5,
    alikeTiles: false,
    executionProviders: () => ["cpu"],
    advice:
      "The npm package onnxruntime-node has binaries for Linux, macOS (arm64) and Windows: install it for this one.",
  },
  webgpu: {
    choosesDevice: false,
    environment: {},
    precisions: ["float32", "float16"],
    channelsLast: [],
    overhead: 2.5,
    alikeTiles: false,
    executionProviders: () => ["webgpu"],
    advice:
      "It needs a GPU with a Vulkan driver and its loader (Debian: libvulkan1 and the vendor's driver; in a container, NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics). Or use the cpu provider.",
  },
  cuda: {
    choosesDevice: true,
    environment: noTensorFloat32,
    precisions: ["float32", "float16"],
    channelsLast: ["float16"],
    overhead: 2,
    composition: matrixUnits,
    alikeTiles: true,
    executionProviders: ({ device }) => [{ name: "cuda", deviceId: device }],
    advice:
      "It needs an NVIDIA GPU with its driver, and libraries that `npm run setup:cuda` fetches. Or use the cpu provider.",
  },
  tensorrt: {
    choosesDevice: true,
    environment: noTensorFloat32,
    precisions: ["float32", "float16"],
    channelsLast: [],
    overhead: 2,
    composition: matrixUnits,
    alikeTiles: true,
    executionProviders: ({ device }) => [
      { name: "tensorrt", deviceId: device },
      { name: "cuda", deviceId: device },
    ],
    advice:
      "It needs an NVIDIA GPU with its driver, TensorRT, and libraries that `npm run setup:cuda` fetches. Or use the cuda or cpu provider.",
  },
} as const satisfies Readonly<Record<string, ProviderRule>>;

export type Provider = keyof typeof providers;

const rules: Readonly<Record<Provider, ProviderRule>> = providers;

/** What is known of a provider. */
export function providerRule(provider: Provider): ProviderRule {
  return rules[provider];
}

/**
 * Settings of every session, measured on a depth-4 U-Net on 2 cores. Without memory patterns a session keeps 540 MB
 * instead of 955 MB at 1024 px at the same speed. Threads that don't spin when they wait leave the cores to decoding:
 * 5 % faster beside it, and the same alone. Without the arena every run is a quarter slower.
 */
export function sessionOptions(settings: ThreadSettings): InferenceSession.SessionOptions {
  const executionProviders = rules[settings.provider].executionProviders(settings);
  return {
    ...(executionProviders === undefined ? {} : { executionProviders }),
    intraOpNumThreads: settings.threads,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    enableCpuMemArena: true,
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
}

/** The same settings for a session that fails where a node would be left to the CPU. */
export function probeOptions(settings: ThreadSettings): InferenceSession.SessionOptions {
  const options = sessionOptions(settings);
  return settings.provider === "cpu"
    ? options
    : { ...options, extra: { session: { intra_op: { allow_spinning: "0" }, disable_cpu_ep_fallback: "1" } } };
}

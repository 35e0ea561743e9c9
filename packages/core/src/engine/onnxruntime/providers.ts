import type { InferenceSession } from "onnxruntime-node";
import type { ThreadSettings } from "./protocol.ts";

interface ProviderRule {
  /** ONNX Runtime's own settings; what a provider can't compute falls back to the CPU. */
  readonly executionProviders: (settings: ThreadSettings) => InferenceSession.SessionOptions["executionProviders"];
  /** What to do where the provider is missing. */
  readonly advice: string;
}

/** What ONNX Runtime can compute on. */
export const providers = {
  cpu: {
    executionProviders: () => ["cpu"],
    advice:
      "The npm package onnxruntime-node has binaries for Linux, macOS (arm64) and Windows: install it for this one.",
  },
  webgpu: {
    executionProviders: () => ["webgpu"],
    advice:
      "It needs a GPU with a Vulkan driver and its loader (Debian: libvulkan1 and the vendor's driver; in a container, NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics). Or use the cpu provider.",
  },
  cuda: {
    executionProviders: ({ device }) => [{ name: "cuda", deviceId: device }],
    advice:
      "It needs an NVIDIA GPU with its driver, and libraries that `npm run setup:cuda` fetches. Or use the cpu provider.",
  },
  tensorrt: {
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

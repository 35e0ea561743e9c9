import { chooseEngine, engineChoices, engineNames, mostThreads, openEngine } from "@slidelight/core/request";
import type { Engine, EngineSettings } from "@slidelight/core";
import { z } from "zod";
import type { OptionTable } from "./options.ts";

/** What computes. */
export const engineChoiceOptions = {
  engine: {
    flag: "--engine <name>",
    text: `auto, ${engineNames.join(", ")}; slidelight engines tells which are here (auto)`,
  },
  provider: {
    flag: "--provider <name>",
    text: "what the engine computes on: cpu, cuda, tensorrt, webgpu, gpu or wasm (cpu; tfjs: the first that is there)",
  },
  device: { flag: "--device <n>", text: "index of the accelerator (0)" },
  threads: { flag: "--threads <n>", text: "threads that compute, at most 1024 (one for each core)" },
  openvino: { environment: ["SLIDELIGHT_OPENVINO"] },
} as const satisfies OptionTable;

export const engineChoiceKeys = ["engine", "provider", "device", "threads", "openvino"] as const;

const threads = `expected an integer from 1 to ${mostThreads}`;
const device = "expected an integer from 0";
const providerNames = [...new Set(engineChoices.map(({ provider }) => provider))];

export const engineChoiceSchema = z.object({
  engine: z.enum(["auto", ...engineNames], `expected auto, ${engineNames.join(", ")}`).default("auto"),
  provider: z.enum(providerNames, `expected one of ${providerNames.join(", ")}`).exactOptional(),
  device: z.coerce.number(device).int(device).min(0, device).exactOptional(),
  threads: z.coerce.number(threads).int(threads).min(1, threads).max(mostThreads, threads).exactOptional(),
  openvino: z.string().exactOptional(),
});

/** With what a tile may take, where a command asks for it. */
type EngineChoiceConfig = z.output<typeof engineChoiceSchema> & { readonly memory?: number };

/** @throws {SlidelightError} `engine-unavailable`, `usage`. */
export function openEngineOf(
  { engine, provider, ...config }: EngineChoiceConfig,
  { signal }: { readonly signal: AbortSignal },
): Promise<Engine> {
  const settings = { ...engineSettings(config), signal };
  if (engine !== "auto") return openEngine({ engine, ...settings, ...(provider === undefined ? {} : { provider }) });
  if (provider === undefined) return chooseEngine(settings);
  // A provider alone: the first engine that has it.
  const choice = engineChoices.find((candidate) => candidate.provider === provider);
  return openEngine({ engine: choice?.engine ?? "onnxruntime", provider, ...settings });
}

/** What is common to all engines. */
export function engineSettings({
  threads,
  device,
  openvino,
  memory,
}: Omit<EngineChoiceConfig, "engine" | "provider">): EngineSettings {
  return {
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(threads === undefined ? {} : { threads }),
    ...(device === undefined ? {} : { device }),
    ...(openvino === undefined ? {} : { library: openvino }),
  };
}

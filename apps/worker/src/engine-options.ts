import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionTable } from "@slidelight/contract";
import { chooseEngine, defaultImageLimits, engineChoices, engineNames, openEngine } from "@slidelight/core";
import type { Engine, EngineSettings, ImageLimits } from "@slidelight/core";
import { z } from "zod";

/** How a worker computes; nothing here changes a result. */
export const engineOptions = {
  engine: {
    flag: "--engine <name>",
    text: `auto, ${engineNames.join(", ")}; slidelight engines tells which are here (auto)`,
  },
  provider: {
    flag: "--provider <name>",
    text: "what the engine computes on: cpu, cuda, tensorrt, webgpu, gpu or wasm (cpu; tfjs: the first that is there)",
  },
  device: { flag: "--device <n>", text: "index of the accelerator (0)" },
  threads: { flag: "--threads <n>", text: "threads that compute (one for each core)" },
  memory: {
    flag: "--memory <bytes>",
    text: "what a tile may take in the engine, such as 2GB (an eighth of the machine's, 1.5GiB to 4GiB)",
  },
  openvino: { environment: ["SLIDELIGHT_OPENVINO"] },
  scratch: { flag: "--scratch <folder>", text: "for files in progress (the system's temporary folder)" },
  maxPixels: { flag: "--max-pixels <n>", text: "of an image that is decoded whole (512e6)" },
  maxLevelPixels: { flag: "--max-level-pixels <n>", text: "of a level of a tiled image (40e9)" },
  maxTilePixels: { flag: "--max-tile-pixels <n>", text: "of one compressed tile (67e6)" },
} as const satisfies OptionTable;

export const engineKeys = [
  "engine",
  "provider",
  "device",
  "threads",
  "memory",
  "openvino",
  "scratch",
  "maxPixels",
  "maxLevelPixels",
  "maxTilePixels",
] as const;

const units: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

const size = "expected a size such as 2GB, 1.5GiB or a number of bytes";

/** `2GB`, `1.5GiB`, `1000`. */
export const byteCount = z.string().transform((text, context): number => {
  const [, value = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmg]?i?)b?$/u.exec(text.trim().toLowerCase()) ?? [];
  const scale = units[unit];
  if (value !== "" && scale !== undefined && Number(value) * scale >= 1) return Math.floor(Number(value) * scale);
  context.addIssue({ code: "custom", message: size });
  return z.NEVER;
});

const pixels = (fallback: number) => {
  const expected = "expected a number of pixels above 0";
  return z.coerce.number(expected).positive(expected).default(fallback);
};

const threads = "expected an integer from 1";
const device = "expected an integer from 0";

const providerNames = [...new Set(engineChoices.map(({ provider }) => provider))];

export const engineSchema = z.object({
  engine: z.enum(["auto", ...engineNames], `expected auto, ${engineNames.join(", ")}`).default("auto"),
  provider: z.enum(providerNames, `expected one of ${providerNames.join(", ")}`).exactOptional(),
  device: z.coerce.number(device).int(device).min(0, device).exactOptional(),
  threads: z.coerce.number(threads).int(threads).min(1, threads).exactOptional(),
  memory: byteCount.exactOptional(),
  openvino: z.string().exactOptional(),
  scratch: z.string().default(() => join(tmpdir(), "slidelight")),
  maxPixels: pixels(defaultImageLimits.wholeImagePixels),
  maxLevelPixels: pixels(defaultImageLimits.levelPixels),
  maxTilePixels: pixels(defaultImageLimits.tilePixels),
});

export type EngineConfig = z.output<typeof engineSchema>;

export function imageLimits({ maxPixels, maxLevelPixels, maxTilePixels }: EngineConfig): ImageLimits {
  return { wholeImagePixels: maxPixels, levelPixels: maxLevelPixels, tilePixels: maxTilePixels };
}

/** @throws {SlidelightError} `engine-unavailable`, `usage`. */
export function openEngineOf(
  { engine, provider, ...config }: EngineConfig,
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
}: Pick<EngineConfig, "threads" | "device" | "openvino">): EngineSettings {
  return {
    ...(threads === undefined ? {} : { threads }),
    ...(device === undefined ? {} : { device }),
    ...(openvino === undefined ? {} : { library: openvino }),
  };
}

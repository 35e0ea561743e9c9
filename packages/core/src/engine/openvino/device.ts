import type { Precision } from "../engine.ts";
import { unavailable } from "./library.ts";
import type { Handle, OpenVino } from "./library.ts";

/** What OpenVINO computes on, opened. */
export interface Device {
  /** Of OpenVINO's runtime; the opener frees it. */
  readonly core: Handle;
  /** OpenVINO's name of it: "CPU", "GPU.0". */
  readonly name: string;
  /** For people. */
  readonly fullName: string;
  readonly precisions: readonly Precision[];
  /** Of a GPU. */
  readonly memoryBytes?: number;
}

/** @throws {SlidelightError} `engine-unavailable` when the library can't compute, or the device is not there. */
export function openDevice(library: OpenVino, name: string): Device {
  const core = createCore(library);
  try {
    return { core, name, ...capabilitiesOf(library, core, name) };
  } catch (error) {
    library.free("freeCore", core);
    throw unavailable(`the device ${name}`, error, "A GPU needs its driver; or use the cpu provider.");
  }
}

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

const capabilityNames: { readonly [P in Exclude<Precision, "float32">]: string } = {
  bfloat16: "BF16",
  float16: "FP16",
};

function capabilitiesOf(library: OpenVino, core: Handle, device: string): Omit<Device, "core" | "name"> {
  const ask = (key: string): string => library.takeText(library.make("property", (out) => [core, device, key, out]));
  const words = new Set(ask("OPTIMIZATION_CAPABILITIES").split(/\s+/u));
  const narrow = (["bfloat16", "float16"] as const).filter((precision) => words.has(capabilityNames[precision]));
  const memoryBytes = device === "CPU" ? Number.NaN : Number(ask("GPU_DEVICE_TOTAL_MEM_SIZE"));
  return {
    fullName: ask("FULL_DEVICE_NAME").trim(),
    precisions: ["float32", ...narrow],
    ...(Number.isFinite(memoryBytes) ? { memoryBytes } : {}),
  };
}

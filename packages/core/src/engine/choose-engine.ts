import { existsSync } from "node:fs";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { checkSettings } from "./check-settings.ts";
import type { Engine } from "./engine.ts";
import { engines } from "./engines.ts";
import type { EngineSettings } from "./engines.ts";

export interface Candidate {
  readonly name: string;
  open(settings: EngineSettings): Promise<Engine>;
}

export interface Candidates {
  readonly processors: readonly Candidate[];
  /** Devices beside the CPU. */
  readonly accelerators: readonly Candidate[];
}

/** Tried only where the system shows a device: each attempt loads libraries. */
const accelerators: readonly Candidate[] = [
  { name: "onnxruntime cuda", open: engines.onnxruntime.providers.cuda.open },
  { name: "onnxruntime webgpu", open: engines.onnxruntime.providers.webgpu.open },
];

/** In the order of their measured speed, see docs/performance.md. */
const processors: readonly Candidate[] = [
  { name: "openvino cpu", open: engines.openvino.providers.cpu.open },
  { name: "onnxruntime cpu", open: engines.onnxruntime.providers.cpu.open },
  { name: "tfjs cpu", open: engines.tfjs.providers.cpu.open },
  { name: "tfjs wasm", open: engines.tfjs.providers.wasm.open },
];

const deviceFiles = ["/dev/nvidiactl", "/dev/dri", "/dev/dxg"] as const;

function showsAccelerator(): boolean {
  return process.platform !== "linux" || deviceFiles.some((path) => existsSync(path));
}

/** A driver can be a program that computes on the CPU: an accelerator has to be clearly faster. */
const leastGain = 2;

/**
 * The fastest engine that is there and exact in float32: an accelerator that computes at least twice as fast as the
 * CPU, else the first engine of a fixed order. The order is fixed, and not the outcome of a race, so that the workers of
 * a machine, and a run that goes on after a crash, take the same one: engines differ in the last bits.
 * @throws {SlidelightError} `usage`; `engine-unavailable` with what is wrong with each, when none can compute here.
 */
export async function chooseEngine(
  settings: EngineSettings = {},
  candidates: Candidates = { processors, accelerators: showsAccelerator() ? accelerators : [] },
): Promise<Engine> {
  checkSettings(settings);
  const faults: string[] = [];
  const processor = await firstExact(candidates.processors, settings, faults);
  try {
    const accelerator = await firstExact(candidates.accelerators, settings, faults);
    if (processor !== undefined && accelerator !== undefined)
      return await clearlyFaster(accelerator, processor, settings);
    const engine = processor ?? accelerator;
    if (engine !== undefined) return engine;
  } catch (error) {
    await processor?.[Symbol.asyncDispose]();
    throw error;
  }
  throw new SlidelightError(
    "engine-unavailable",
    `Choosing an engine: expected one that computes here, got none.\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
  );
}

/** The accelerator where it is worth it, else the processor; the other one is closed. What an accelerator fails at speaks for the processor. */
async function clearlyFaster(accelerator: Engine, processor: Engine, settings: EngineSettings): Promise<Engine> {
  const { speedOf } = await import("./measure.ts");
  const probe = { side: 256, runs: 3, signal: settings.signal };
  let chosen = processor;
  try {
    const least = leastGain * (await speedOf(processor, probe));
    if ((await speedOf(accelerator, probe)) >= least) chosen = accelerator;
  } catch (error) {
    if (!isFault(error, settings)) {
      await accelerator[Symbol.asyncDispose]();
      throw error;
    }
  }
  await (chosen === accelerator ? processor : accelerator)[Symbol.asyncDispose]();
  return chosen;
}

/** Whether an engine failed, and not whoever waits for it. */
function isFault(error: unknown, { signal }: EngineSettings): error is SlidelightError {
  return signal?.aborted !== true && error instanceof SlidelightError;
}

/** The first that opens and computes exactly; why the others do not goes into `faults`. */
async function firstExact(
  candidates: readonly Candidate[],
  settings: EngineSettings,
  faults: string[],
): Promise<Engine | undefined> {
  for (const { name, open } of candidates) {
    try {
      return await openExact(open, settings);
    } catch (error) {
      if (!isFault(error, settings)) throw error;
      faults.push(`${name}: ${error.message}`);
    }
  }
  return undefined;
}

async function openExact(open: Candidate["open"], settings: EngineSettings): Promise<Engine> {
  const engine = await open(settings);
  try {
    const { errorOf, exactError } = await import("./measure.ts");
    const error = await errorOf(engine, { signal: settings.signal });
    if (error <= exactError) return engine;
    throw new SlidelightError(
      "engine-unavailable",
      `Checking ${engine.name} ${engine.provider} in float32: expected an error of at most ${exactError} of the largest value, got ${error}.`,
    );
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeOnnx, unetGraph, unetParameters } from "@slidelight/core";
import type { UNetSettings } from "@slidelight/core";
import sharp from "sharp";

const cli = fileURLToPath(new URL("../apps/cli/bin/slidelight.js", import.meta.url));

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Another release's command. */
  readonly program?: string;
}

/** Runs the built command as a user would. */
export function slidelight(args: readonly string[], options: RunOptions): Promise<Outcome> {
  return start(args, options).outcome;
}

export interface RunningCommand extends AsyncDisposable {
  readonly outcome: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
  /** The first line of standard error with this text, said already or yet to come. */
  line(text: string | RegExp): Promise<string>;
  /** What standard error has so far. */
  errors(): readonly string[];
}

export function start(
  args: readonly string[],
  { folder, env = {}, input = "", program = cli }: RunOptions,
): RunningCommand {
  // Without what would hide a trace that ONNX Runtime leaves.
  const { SLIDELIGHT_DEBUG: _debug, ORT_DISABLE_TELEMETRY: _telemetry, CI: _ci, ...inherited } = process.env;
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, env: { ...inherited, ...env } });
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += String(text)));
  const seen: string[] = [];
  const waiting = new Set<{ text: string | RegExp; resolve: (line: string) => void; reject: (error: Error) => void }>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr += `${line}\n`;
    seen.push(line);
    for (const waiter of waiting) {
      if (!has(line, waiter.text)) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  });
  const outcome = new Promise<Outcome>((resolve) => {
    child.once("close", (code) => {
      for (const { text, reject } of waiting)
        reject(new Error(`The command ended before it said "${text}":\n${stderr}`));
      resolve({ status: code ?? -1, stdout, stderr });
    });
  });
  return {
    outcome,
    kill: (signal) => void child.kill(signal),
    line: (text) => {
      const known = seen.find((line) => has(line, text));
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => waiting.add({ text, resolve, reject }));
    },
    errors: () => seen,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await outcome;
    },
  };
}

function has(line: string, text: string | RegExp): boolean {
  return typeof text === "string" ? line.includes(text) : text.test(line);
}

const tiny: UNetSettings = {
  depth: 1,
  baseChannels: 2,
  decoder: true,
  classes: 2,
  pool: { kind: "mean" },
  pooled: "features",
  upsampling: "transposed",
  seed: 3,
};

/** A small U-Net of two classes, as ONNX. */
export function smallModel(): Uint8Array {
  const graph = unetGraph(tiny, unetParameters(tiny), { width: 32, height: 32 });
  const metadata = { "slidelight.classes": JSON.stringify(["plain", "odd"]) };
  return encodeOnnx(graph, { dynamicAxes: true, metadata });
}

export interface Workplace extends AsyncDisposable {
  readonly folder: string;
}

/** A folder with `model.onnx`, a small U-Net, and the images `a.png` and `b.png` in `images`. */
export async function openWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), "slidelight-work-"));
  await writeFile(join(folder, "model.onnx"), smallModel());
  await writeImage(join(folder, "images", "a.png"), { side: 48, seed: 1 });
  await writeImage(join(folder, "images", "b.png"), { side: 57, seed: 2 });
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export type ImageSize = { readonly side: number } | { readonly width: number; readonly height: number };

export async function writeImage(
  path: string,
  { seed, ...size }: ImageSize & { readonly seed: number },
): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  const { width, height } = "side" in size ? { width: size.side, height: size.side } : size;
  const data = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * index * seed + index * 7) % 251);
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(path);
}

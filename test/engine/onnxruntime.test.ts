import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { cudaDevice } from "../../packages/core/src/engine/cuda-device.ts";
import type { Precision } from "../../packages/core/src/engine/engine.ts";
import { openOnnxRuntimeEngine } from "../../packages/core/src/engine/onnxruntime/index.ts";
import type { Provider } from "../../packages/core/src/engine/onnxruntime/index.ts";
import * as build from "../../packages/core/src/graph/build.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import type { Tensor } from "../../packages/core/src/graph/tensor.ts";
import { engineConformance } from "./conformance.ts";

/** Why a provider can't be tested on this machine, by precision. */
async function missing(provider: Provider): Promise<(precision: Precision) => string | undefined> {
  try {
    await using engine = await openOnnxRuntimeEngine({ provider });
    const { precisions } = engine;
    return (precision) =>
      precisions.includes(precision) ? undefined : `the device of ${provider} has no ${precision}`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return () => reason;
  }
}

engineConformance("onnxruntime cpu", () => openOnnxRuntimeEngine());
// Of no use there but to test the casts that the others get: the CPU provider casts back and forth.
engineConformance("onnxruntime cpu", () => openOnnxRuntimeEngine(), { precision: "float16" });
for (const provider of ["webgpu", "cuda", "tensorrt"] as const) {
  const open = (): ReturnType<typeof openOnnxRuntimeEngine> => openOnnxRuntimeEngine({ provider });
  const reason = await missing(provider);
  engineConformance(`onnxruntime ${provider}`, open, { missing: reason("float32") });
  engineConformance(`onnxruntime ${provider}`, open, { missing: reason("float16"), precision: "float16" });
}

test("buffers are handed over, not copied", async () => {
  await using engine = await openOnnxRuntimeEngine();
  const x = build.input("x", { type: "float32", shape: [1000] });
  await using program = await engine.compile(graphOf({ y: build.relu(x) }));
  const data = new Float32Array(1000);
  const { outputs } = await program.run({ x: { type: "float32", shape: [1000], data } });
  expect(data.length).toBe(0);
  expect(outputs["y"]?.data.length).toBe(1000);
});

test("a view of a larger buffer, and one buffer under two names, are taken too", async () => {
  await using engine = await openOnnxRuntimeEngine();
  const [a, b] = ["a", "b"].map((name) => build.input(name, { type: "float32", shape: [2] }));
  if (a === undefined || b === undefined) throw new Error("There are two inputs.");
  await using program = await engine.compile(graphOf({ y: build.add(a, b) }));
  const all = Float32Array.of(1, 2, 3, 4);
  const view = (from: number): Tensor => ({ type: "float32", shape: [2], data: all.subarray(from, from + 2) });
  expect((await program.run({ a: view(0), b: view(2) })).outputs["y"]?.data).toEqual(Float32Array.of(4, 6));
  const both: Tensor = { type: "float32", shape: [2], data: Float32Array.of(5, 6) };
  expect((await program.run({ a: both, b: both })).outputs["y"]?.data).toEqual(Float32Array.of(10, 12));
});

test("where no memory may be kept, programs that take turns are compiled again without anybody noticing", async () => {
  await using engine = await openOnnxRuntimeEngine({ warmBytes: 0, threads: 1 });
  const x = build.input("x", { type: "float32", shape: [1] });
  const programs = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      engine.compile(graphOf({ y: build.add(x, build.scalarConstant(index)) }), { frequent: index % 5 === 0 }),
    ),
  );
  for (let round = 0; round < 2; round += 1) {
    for (const [index, program] of programs.entries()) {
      const { outputs } = await program.run({ x: { type: "float32", shape: [1], data: Float32Array.of(round) } });
      expect(outputs["y"]?.data[0]).toBe(index + round);
    }
  }
});

test("a provider that is not there is refused, saying what is and how to get it", async () => {
  const reason = (await missing("cuda"))("float32");
  if (reason !== undefined) expect(reason).toMatch(/provider cuda.*NVIDIA GPU with its driver.*setup:cuda/su);
});

test("a GPU that is not there is described by nobody", async () => {
  expect(await cudaDevice(1000)).toBeUndefined();
});

test("a device that a provider can't be given is refused", async () => {
  await expect(openOnnxRuntimeEngine({ device: 1 })).rejects.toThrow(/expected device 0.*cpu.*got 1/u);
});

test("a precision that no provider has is refused", async () => {
  await using engine = await openOnnxRuntimeEngine();
  const x = build.input("x", { type: "float32", shape: [1] });
  const compiling = engine.compile(graphOf({ y: build.relu(x) }), { precision: "bfloat16", label: "the map" });
  await expect(compiling).rejects.toThrow(/"the map".*float32 or float16, got bfloat16/u);
});

test("ONNX Runtime writes no identifier and starts no upload of usage data", async () => {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-"));
  try {
    const built = new URL("../../packages/core/dist/engine/onnxruntime/index.js", import.meta.url);
    const script = `
      const { openOnnxRuntimeEngine } = await import(${JSON.stringify(built.href)});
      const engine = await openOnnxRuntimeEngine();
      await engine[Symbol.asyncDispose]();`;
    const { ORT_DISABLE_TELEMETRY: _, ...others } = process.env;
    const env = { ...others, HOME: folder, XDG_CACHE_HOME: folder, XDG_DATA_HOME: folder, TMPDIR: folder };
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], { env, cwd });
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

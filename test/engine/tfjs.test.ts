import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { errorOf, exactError } from "../../packages/core/src/engine/measure.ts";
import { openTfjsEngine } from "../../packages/core/src/engine/tfjs/index.ts";
import type { TfjsEngine, TfjsOptions } from "../../packages/core/src/engine/tfjs/index.ts";
import * as build from "../../packages/core/src/graph/build.ts";
import { backpropagate } from "../../packages/core/src/graph/gradient.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import type { Graph } from "../../packages/core/src/graph/graph.ts";
import { elementsOf, float32, tensorOf } from "../../packages/core/src/graph/tensor.ts";
import { engineConformance } from "./conformance.ts";
import { scattered } from "./operator-cases.ts";

type Provider = NonNullable<TfjsOptions["provider"]>;

/** Why a provider can't be tested on this machine. */
async function missing(provider: Provider): Promise<string | undefined> {
  try {
    await using _ = await openTfjsEngine({ provider });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const providers = await Promise.all(
  (["wasm", "cpu", "gpu"] as const).map(async (provider) => ({ provider, reason: await missing(provider) })),
);

for (const { provider, reason } of providers) {
  engineConformance(`tfjs ${provider}`, () => openTfjsEngine({ provider }), { missing: reason });
}

/** A small network with its gradient, by operators of every kind: windows, pooling with its gradient, resizing, reductions. */
function smallNetwork(): Graph {
  const image = build.cast(build.input("tile", { type: "uint8", shape: [1, 3, 16, 16] }), "float32");
  const pads = { top: 1, left: 1, bottom: 1, right: 1 };
  const features = build.relu(build.conv(image, build.constant(scattered([4, 3, 3, 3])), undefined, { pads }));
  const halved = build.maxPool(features, { kernel: [2, 2] });
  const doubled = build.resize(halved, { scales: [2, 2], mode: "linear" });
  const score = build.reduceLogSumExp(build.concat([features, doubled], 1), [1, 2, 3]);
  const [gradient] = backpropagate(new Map([[score, build.scalarLike(score, 1)]]), [image]);
  if (gradient === undefined) throw new Error("The score depends on the image.");
  return graphOf({ score, gradient });
}

/** What is computed of every tile, and no more: 10,000 runs take seconds. */
function smallestNetwork(): Graph {
  const image = build.cast(build.input("tile", { type: "uint8", shape: [1, 3, 16, 16] }), "float32");
  return graphOf({
    sum: build.reduceSum(build.relu(build.conv(image, build.constant(scattered([4, 3, 3, 3])))), [2, 3]),
  });
}

function tile(): { readonly tile: ReturnType<typeof tensorOf> } {
  const bytes = Uint8Array.from({ length: 3 * 16 * 16 }, (_, index) => (index * 37) % 256);
  return { tile: tensorOf("uint8", [1, 3, 16, 16], bytes) };
}

/** Long enough for something to happen meanwhile. */
function slowGraph(): Graph {
  const x = build.input("x", { type: "float32", shape: [1, 16, 256, 256] });
  const weight = build.constant(scattered([16, 16, 3, 3], { scale: 0.05 }));
  const pads = { top: 1, left: 1, bottom: 1, right: 1 };
  const last = Array.from({ length: 24 }).reduce<ReturnType<typeof build.relu>>(
    (value) => build.relu(build.conv(value, weight, undefined, { pads })),
    x,
  );
  return graphOf({ sum: build.reduceSum(last, [1, 2, 3]) });
}

function image(): Record<string, ReturnType<typeof float32>> {
  return { x: float32([1, 16, 256, 256], new Float32Array(16 * 256 * 256).fill(1)) };
}

const nothing = float32([0], []);

async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let time = 0; time < times; time += 1) await work();
}

const present = providers.filter(({ reason }) => reason === undefined).map(({ provider }) => provider);

for (const provider of present) {
  const open = (): Promise<TfjsEngine> => openTfjsEngine({ provider });

  test(`tfjs ${provider} is exact enough to be chosen`, async () => {
    await using engine = await open();
    expect(await errorOf(engine)).toBeLessThan(exactError);
  });

  test(`tfjs ${provider} holds as much after 10,000 tiles as after 100, and nothing after the last program`, async () => {
    // Threads that wait for each other would take longer than a tile so small.
    await using engine = await openTfjsEngine({ provider, threads: 1 });
    const before = await engine.memory();
    // What operators of every kind leave behind shows at once, to the byte.
    for (const { graph, tiles } of [
      { graph: smallestNetwork(), tiles: 10_000 },
      { graph: smallNetwork(), tiles: 1_000 },
    ]) {
      await using program = await engine.compile(graph);
      await repeat(100, () => program.run(tile()));
      const early = await engine.memory();
      await repeat(tiles - 100, () => program.run(tile()));
      expect(await engine.memory()).toEqual(early);
      expect(early.tensors).toBeGreaterThan(before.tensors);
    }
    expect(await engine.memory()).toEqual(before);
  });

  test(`what runs last on a program of tfjs ${provider} leaves nothing behind when that is disposed of meanwhile`, async () => {
    await using engine = await open();
    const before = await engine.memory();
    const program = await engine.compile(smallNetwork());
    const running = [program.run(tile()), program.run(tile())];
    await program[Symbol.asyncDispose]();
    expect(await Promise.all(running)).toHaveLength(2);
    expect(await engine.memory()).toEqual(before);
  });

  test(`an output of tfjs ${provider} that no input changes is the same in every run`, async () => {
    await using engine = await open();
    const rows = build.coordinate({ axis: 0, rank: 1, size: 5 });
    const x = build.relu(build.input("x", { type: "float32", shape: [1] }));
    await using program = await engine.compile(graphOf({ rows, x }));
    for (const value of [1, 2, 3]) {
      const { outputs } = await program.run({ x: float32([1], [value]) });
      expect(elementsOf(outputs["rows"] ?? nothing)).toEqual(Float64Array.of(0, 1, 2, 3, 4));
      expect(elementsOf(outputs["x"] ?? nothing)).toEqual(Float64Array.of(value));
    }
  });

  test(`inputs that tfjs ${provider} can't be sent fail their own run, and no other`, async () => {
    await using engine = await open();
    await using program = await engine.compile(
      graphOf({ y: build.relu(build.input("x", { type: "float32", shape: [4] })) }),
    );
    const given = [1, 2, 3].map((value) => float32([4], [value, value, value, value]));
    const [first, spoiled, last] = given.map((x) => program.run({ x }));
    // Before it is sent: given to somebody else meanwhile.
    const lost = given[1]?.data.buffer;
    if (lost instanceof ArrayBuffer) structuredClone(lost, { transfer: [lost] });
    await expect(spoiled).rejects.toMatchObject({ code: "engine-failed" });
    expect(elementsOf((await first)?.outputs["y"] ?? nothing)).toEqual(Float64Array.of(1, 1, 1, 1));
    expect(elementsOf((await last)?.outputs["y"] ?? nothing)).toEqual(Float64Array.of(3, 3, 3, 3));
  });

  test(`when the process of tfjs ${provider} is killed, its run fails, and the next one has a new process`, async () => {
    await using engine = await open();
    await using program = await engine.compile(slowGraph(), { label: "the map" });
    const { outputs } = await program.run(image());
    const expected = elementsOf(outputs["sum"] ?? nothing);
    const first = engine.processId();
    const running = program.run(image());
    // Of these some are in the process already when it dies, behind the one that it computes.
    const waiting = [1, 2, 3, 4].map(() => program.run(image()));
    // After the run was begun.
    setImmediate(() => process.kill(first ?? 0, "SIGKILL"));
    await expect(running).rejects.toMatchObject({
      code: "engine-failed",
      message: expect.stringMatching(/"the map" with TensorFlow\.js.*its process ended by SIGKILL/su),
    });
    for (const again of await Promise.all(waiting)) {
      expect(elementsOf(again.outputs["sum"] ?? nothing)).toEqual(expected);
    }
    expect(engine.processId()).not.toBe(first);
  });
}

test("a run that TensorFlow.js can't compute fails with the program's label, and leaves nothing behind", async () => {
  await using engine = await openTfjsEngine({ provider: "wasm" });
  const before = await engine.memory();
  // More than WebAssembly can address.
  const x = build.input("x", { type: "float32", shape: [1, 1, 1] });
  const huge = graphOf({ y: build.reduceSum(build.expand(x, [1, 40_000, 40_000]), [0, 1, 2]) });
  const program = await engine.compile(huge, { label: "the whole slide" });
  await expect(program.run({ x: float32([1, 1, 1], [1]) })).rejects.toMatchObject({
    code: "engine-failed",
    message: expect.stringContaining("the whole slide"),
  });
  await program[Symbol.asyncDispose]();
  expect(await engine.memory()).toEqual(before);
});

test("a graph that TensorFlow.js can't prepare leaves none of its constants behind", async () => {
  await using engine = await openTfjsEngine({ provider: "wasm" });
  const before = await engine.memory();
  const x = build.input("x", { type: "float32", shape: [1, 1, 40_000, 40_000] });
  const weighted = build.conv(x, build.constant(scattered([1, 1, 3, 3])));
  const score = build.reduceSum(build.maxPool(weighted, { kernel: [1, 1], strides: [2, 2] }), [1, 2, 3]);
  const [gradient] = backpropagate(new Map([[score, build.scalarLike(score, 1)]]), [x]);
  if (gradient === undefined) throw new Error("The score depends on the image.");
  // The pixels that no window reads are prepared, which are more than WebAssembly can address.
  await expect(engine.compile(graphOf({ gradient }), { label: "the whole slide" })).rejects.toMatchObject({
    code: "engine-failed",
    message: expect.stringContaining("the whole slide"),
  });
  expect(await engine.memory()).toEqual(before);
});

test("when whoever opened the engine is killed, the process that computes ends, even in the middle of a run", async () => {
  const built = (path: string): string => new URL(`../../packages/core/dist/${path}`, import.meta.url).href;
  // A run that would take hours.
  const script = `
    const { openTfjsEngine } = await import(${JSON.stringify(built("engine/tfjs/index.js"))});
    const { add, expand, input, reduceSum } = await import(${JSON.stringify(built("graph/build.js"))});
    const { graphOf } = await import(${JSON.stringify(built("graph/graph.js"))});
    const engine = await openTfjsEngine({ provider: "wasm" });
    const x = input("x", { type: "float32", shape: [1, 1, 1] });
    const long = Array.from({ length: 10_000 }).reduce((sum) => add(sum, reduceSum(expand(add(x, sum), [1, 8192, 8192]), [0, 1, 2])), x);
    const program = await engine.compile(graphOf({ y: long }));
    void program.run({ x: { type: "float32", shape: [1, 1, 1], data: Float32Array.of(1) } });
    process.stdout.write(String(engine.processId()));`;
  const starter = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed]: unknown[] = await once(starter.stdout, "data");
  const id = Number(String(printed));
  const isAlive = (): boolean => {
    try {
      return process.kill(id, 0);
    } catch {
      return false;
    }
  };
  expect(isAlive()).toBe(true);
  starter.kill("SIGKILL");
  await expect.poll(isAlive, { timeout: 60_000 }).toBe(false);
});

test("without a provider, the fastest that is there computes", async () => {
  await using engine = await openTfjsEngine();
  expect(engine.provider).toBe((["gpu", "cpu", "wasm"] as const).find((provider) => present.includes(provider)));
});

test("a precision that TensorFlow.js lacks is refused", async () => {
  await using engine = await openTfjsEngine({ provider: "wasm" });
  const graph = graphOf({ y: build.relu(build.input("x", { type: "float32", shape: [1] })) });
  await expect(engine.compile(graph, { precision: "float16", label: "the map" })).rejects.toThrow(
    /"the map".*the precision float16; it has float32/u,
  );
});

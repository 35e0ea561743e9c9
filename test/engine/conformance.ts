import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine, Precision } from "../../packages/core/src/engine/engine.ts";
import { openOnnxRuntimeEngine } from "../../packages/core/src/engine/onnxruntime/index.ts";
import * as build from "../../packages/core/src/graph/build.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import type { Graph } from "../../packages/core/src/graph/graph.ts";
import { evaluate, referenceTensor } from "../../packages/core/src/graph/reference.ts";
import { elementsOf, float32, tensorOf } from "../../packages/core/src/graph/tensor.ts";
import type { ElementType, Tensor } from "../../packages/core/src/graph/tensor.ts";
import type { MethodName } from "../../packages/core/src/explain/methods/index.ts";
import { explainCase, methodCases } from "./method-cases.ts";
import type { MethodCase } from "./method-cases.ts";
import { graphOfCase, operatorCases, scattered } from "./operator-cases.ts";

/** Largest error that rounding explains, in parts of the largest value. */
const tolerances: { readonly [T in ElementType]: number } = {
  float32: 1e-5,
  float64: 1e-12,
  float16: 2 ** -10,
  int64: 0,
  int32: 0,
  uint8: 0,
  uint16: 0,
  bool: 0,
};

/** Unit roundoff: the largest error of one rounding, in parts of the value. */
const roundoff: { readonly [P in Precision]: number } = {
  float32: 2 ** -24,
  bfloat16: 2 ** -9,
  float16: 2 ** -11,
};

/**
 * Operands, weights and the result are rounded once each, and the products that a convolution adds up are together up to some
 * five times as large as its largest result.
 */
const narrowRoundings = 3 * 5;

function expectClose(
  got: Tensor,
  expected: Float64Array,
  {
    widest,
    least,
    precision,
  }: { readonly widest: Engine["widest"]; readonly least: number; readonly precision: Precision },
): void {
  const exact = tolerances[got.type === "float64" ? widest : got.type];
  const tolerance = exact === 0 || precision === "float32" ? exact : narrowRoundings * roundoff[precision];
  const largest = expected.reduce((most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0), least);
  const wrong = [...elementsOf(got)]
    .map((value, index) => ({ index, got: value, expected: expected[index] ?? Number.NaN }))
    .filter((one) => !(Math.abs(one.got - one.expected) <= tolerance * largest));
  expect(wrong).toEqual([]);
}

function named(tensors: readonly Tensor[]): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(tensors.map((tensor, index) => [`x${index}`, tensor]));
}

/** A copy that a run may take over. */
function copy(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return structuredClone({ ...tensors });
}

/** A convolutional network that takes long enough for other things to happen meanwhile. */
function slowGraph(): { readonly graph: Graph; readonly inputs: () => Record<string, Tensor> } {
  const pads = { top: 1, left: 1, bottom: 1, right: 1 };
  let x = build.cast(build.input("image", { type: "uint8", shape: [1, 3, 512, 512] }), "float32");
  for (let layer = 0; layer < 4; layer += 1) {
    const weight = build.constant(scattered([32, x.shape[1] ?? 0, 3, 3], { scale: 0.05 }));
    x = build.relu(build.conv(x, weight, undefined, { pads }));
  }
  return {
    graph: graphOf({ sum: build.reduceSum(x, [2, 3]) }),
    inputs: () => ({ image: tensorOf("uint8", [1, 3, 512, 512], new Uint8Array(3 * 512 * 512).fill(9)) }),
  };
}

/** Whether a map is made of gradients that went through masks and maxima, which rounding flips where two values nearly tie. */
function isBackward({ layer }: MethodCase, method: MethodName): boolean {
  return layer !== undefined || method === "saliency" || method === "input-x-gradient";
}

/**
 * Largest error of a map in parts of its range. The networks are at most 16 layers deep. Each rounds its weights and its values
 * once to the precision, 32 roundings, and adds up to 144 products in float32, whose rounding errors, as those of a random
 * walk, are some 12 roundings of the sum.
 */
function mapBound(precision: Precision): number {
  return 32 * roundoff[precision] + 16 * 12 * roundoff.float32;
}

/**
 * The share of a backward map's pixels that is held to the bound. A flipped mask or maximum spoils the pixels of its receptive
 * field, and how many values lie within an error of 0 is proportional to the roundoff: measured a few pixels in 100,000 in
 * float32, between 1 % and 10 % in float16, with four times the roundoff more in bfloat16.
 */
const backwardShares: { readonly [P in Precision]: number } = { float32: 0.999, float16: 0.9, bfloat16: 0.8 };

/** What the pool makes of a relative error: the gradient of a log-sum-exp is an exponential, of a generalised mean a power. */
function steepnessOf({ settings: { pool } }: MethodCase): number {
  if (pool?.kind === "log-sum-exp") return pool.sharpness;
  return pool?.kind === "generalised-mean" ? pool.power : 1;
}

interface MapComparison {
  readonly precision: Precision;
  readonly steepness: number;
  readonly backward: boolean;
}

function expectSameMap(
  got: Float32Array | undefined,
  expected: Float32Array | undefined,
  { precision, steepness, backward }: MapComparison,
): void {
  if (got === undefined || expected === undefined) throw new Error("There is no map.");
  expect(got.length).toBe(expected.length);
  const range =
    expected.reduce((a, b) => Math.max(a, b), -Infinity) - expected.reduce((a, b) => Math.min(a, b), Infinity);
  expect(range).toBeGreaterThan(0);
  const errors = expected.map((value, index) => Math.abs(value - (got[index] ?? Number.NaN)) / range).toSorted();
  const share = backward ? backwardShares[precision] : 1;
  const error = errors[Math.ceil(share * errors.length) - 1];
  expect(error).toBeLessThanOrEqual(steepness * mapBound(precision));
}

const explained = new Map<MethodCase, Promise<ReadonlyMap<MethodName, Float32Array>>>();

/** The maps that every engine and precision is compared with: computed once for a file. */
function explainedByOnnxRuntime(one: MethodCase): Promise<ReadonlyMap<MethodName, Float32Array>> {
  const compute = async (): Promise<ReadonlyMap<MethodName, Float32Array>> => {
    await using cpu = await openOnnxRuntimeEngine();
    return await explainCase(cpu, one, "float32");
  };
  const maps = explained.get(one) ?? compute();
  explained.set(one, maps);
  return maps;
}

export interface ConformanceOptions {
  /** Why the engine can't be tested here. */
  readonly missing?: string | undefined;
  /** What programs are compiled to. Default: float32. */
  readonly precision?: Precision;
}

/**
 * What every engine owes to its users: operators as the reference evaluator computes them, methods as ONNX Runtime does on
 * the CPU in float32, and, in float32, order, withdrawal and disposal.
 */
export function engineConformance(
  name: string,
  open: () => Promise<Engine>,
  { missing, precision = "float32" }: ConformanceOptions = {},
): void {
  const subject = `the ${name} engine${precision === "float32" ? "" : ` in ${precision}`}`;
  if (missing !== undefined) {
    test.skip(`${subject} is not here: ${missing}`, () => undefined);
    return;
  }
  describe(subject, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await open();
    });
    afterAll(async () => {
      await engine[Symbol.asyncDispose]();
    });

    describe.each(Object.entries(operatorCases))("computes %s as the reference evaluator does", (_, cases) => {
      test.each(cases.map((one) => [one.of, one] as const))("%s", async (_, one) => {
        const graph = graphOfCase(one);
        const inputs = named(one.inputs);
        const reference = Object.entries(inputs).map(([key, tensor]) => [key, referenceTensor(tensor)] as const);
        const expected = evaluate(graph, Object.fromEntries(reference))["y"];
        const ofAnySize = graphOfCase(one, { images: true });
        // Once: what a size is told by does not depend on the precision.
        const isResized = precision === "float32" && engine.resizes(ofAnySize);
        for (const compiled of isResized ? [graph, ofAnySize] : [graph]) {
          await using program = await engine.compile(compiled, { label: one.of, precision });
          const { outputs } = await program.run(copy(inputs));
          const got = outputs["y"];
          if (got === undefined || expected === undefined) throw new Error("There is no output y.");
          expect([got.type, got.shape]).toEqual([graph.outputs["y"]?.type, expected.shape]);
          expectClose(got, expected.data, { widest: engine.widest, least: one.largest ?? 1e-30, precision });
        }
      });
    });

    describe.each(methodCases)("explains $of as ONNX Runtime does on the CPU in float32", (one) => {
      let expected: ReadonlyMap<MethodName, Float32Array> = new Map();
      let got: ReadonlyMap<MethodName, Float32Array> = new Map();
      beforeAll(async () => {
        expected = await explainedByOnnxRuntime(one);
        got = await explainCase(engine, one, precision);
      });

      test.each(one.methods)("%s", (method) => {
        const steepness = steepnessOf(one);
        expectSameMap(got.get(method), expected.get(method), {
          precision,
          steepness,
          backward: isBackward(one, method),
        });
      });
    });

    // What follows does not depend on the precision.
    if (precision !== "float32") return;

    test("one value may be several outputs, an input may be an output, and all have the names they were given", async () => {
      const x = build.input("x", { type: "float32", shape: [2] });
      const y = build.relu(x, { name: "inner" });
      await using program = await engine.compile(graphOf({ "map.sum": y, again: y, given: x, more: build.exp(y) }));
      const { outputs } = await program.run({ x: float32([2], [-1, 0]) });
      expect(Object.keys(outputs).toSorted()).toEqual(["again", "given", "map.sum", "more"]);
      expect([...elementsOf(outputs["map.sum"] ?? float32([0], []))]).toEqual([0, 0]);
      expect([...elementsOf(outputs["given"] ?? float32([0], []))]).toEqual([-1, 0]);
    });

    test("a tile of bytes goes in as it is: cast, transposed, normalised, and quantised to 16 bits, all in the graph", async () => {
      const tile = build.input("tile", { type: "uint8", shape: [3, 2, 3] });
      const image = build.reshape(build.transpose(build.cast(tile, "float32"), [2, 0, 1]), [1, 3, 3, 2]);
      const normalised = build.div(image, build.scalarConstant(255));
      const map = build.cast(build.round(build.mul(normalised, build.scalarConstant(65535))), "uint16");
      await using program = await engine.compile(graphOf({ map: build.reshape(map, [9, 2]) }));
      const data = Uint8Array.from({ length: 18 }, (_, index) => index * 15);
      const { outputs } = await program.run({ tile: { type: "uint8", shape: [3, 2, 3], data } });
      const expected = [0, 1, 2].flatMap((c) => [0, 1, 2, 3, 4, 5].map((pixel) => (pixel * 3 + c) * 15 * 257));
      expect(outputs["map"]).toEqual({ type: "uint16", shape: [9, 2], data: Uint16Array.from(expected) });
    });

    test("programs that take turns do not disturb one another, and outputs stay as they were given", async () => {
      const x = build.input("x", { type: "float32", shape: [4] });
      const programs = await Promise.all(
        [1, 2, 3, 4, 5].map((factor) => {
          const graph = graphOf({ y: build.mul(x, build.scalarConstant(factor)) });
          return engine.compile(graph, { label: `times ${factor}`, frequent: factor === 1 });
        }),
      );
      const rounds = [1, 10, 100].flatMap((value) => programs.map((program) => ({ program, value })));
      const results = await Promise.all(
        rounds.map(({ program, value }) => program.run({ x: float32([4], [value, 0, -value, 1]) })),
      );
      const firsts = results.map(({ outputs }) => outputs["y"]?.data[0]);
      expect(firsts).toEqual([1, 10, 100].flatMap((value) => [1, 2, 3, 4, 5].map((factor) => value * factor)));
      for (const program of programs) await program[Symbol.asyncDispose]();
    });

    test("runs are served in the order in which they were asked for", async () => {
      const slow = slowGraph();
      const quick = graphOf({ y: build.relu(build.input("x", { type: "float32", shape: [1] })) });
      await using first = await engine.compile(slow.graph);
      await using second = await engine.compile(quick);
      const order: string[] = [];
      await Promise.all([
        first.run(slow.inputs()).then(() => order.push("slow")),
        second.run({ x: float32([1], [1]) }).then(() => order.push("quick")),
        first.run(slow.inputs()).then(() => order.push("slow again")),
      ]);
      expect(order).toEqual(["slow", "quick", "slow again"]);
    });

    test("the event loop turns while a run computes", async () => {
      const slow = slowGraph();
      await using program = await engine.compile(slow.graph);
      let turns = 0;
      let pending = true;
      const turn = (): void => {
        turns += 1;
        if (pending) setImmediate(turn);
      };
      const running = program.run(slow.inputs()).finally(() => {
        pending = false;
      });
      setImmediate(turn);
      const { busySeconds } = await running;
      // Blocked, it would turn once or twice.
      expect(turns).toBeGreaterThan(20);
      expect(busySeconds).toBeGreaterThan(0);
    });

    test("the names of a program's inputs are those of the graph", async () => {
      const a = build.input("b", { type: "float32", shape: [1] });
      const b = build.input("a", { type: "float32", shape: [1] });
      await using program = await engine.compile(graphOf({ y: build.add(a, b) }));
      expect(program.inputs).toEqual(["b", "a"]);
    });

    test("an input that does not fit is refused by name, with what was expected and got", async () => {
      const x = build.input("tile", { type: "uint8", shape: [2, 2] });
      await using program = await engine.compile(graphOf({ y: build.cast(x, "float32") }), { label: "left border" });
      const bytes = (length: number): Uint8Array => new Uint8Array(length);
      await expect(program.run({})).rejects.toThrow(/"left border".*"tile" is uint8 \[2, 2\], got none/);
      await expect(program.run({ tile: { type: "uint8", shape: [4], data: bytes(4) } })).rejects.toThrow(
        /"tile" is uint8 \[2, 2\], got uint8 \[4\]/,
      );
      await expect(program.run({ tile: float32([2, 2], [0, 0, 0, 0]) })).rejects.toThrow(/got float32 \[2, 2\]/);
      await expect(program.run({ tile: { type: "uint8", shape: [2, 2], data: bytes(3) } })).rejects.toThrow(
        /4 values, got 3/,
      );
      const good = { type: "uint8", shape: [2, 2], data: bytes(4) } as const;
      await expect(program.run({ tile: good, other: good })).rejects.toThrow(/got "other"/);
      const { outputs } = await program.run({ tile: good });
      expect(outputs["y"]?.data).toEqual(new Float32Array(4));
    });

    test("a run that is given up before it begins is withdrawn, with the signal's own reason", async () => {
      const slow = slowGraph();
      await using program = await engine.compile(slow.graph);
      const reason = new Error("the user pressed a key");
      const controller = new AbortController();
      const first = program.run(slow.inputs());
      const waiting = program.run(slow.inputs(), { signal: controller.signal });
      const last = program.run(slow.inputs());
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      const results = await Promise.all([first, last]);
      expect(results.map(({ outputs }) => outputs["sum"]?.data.length)).toEqual([32, 32]);
      await expect(program.run(slow.inputs(), { signal: controller.signal })).rejects.toBe(reason);
      await expect(engine.compile(slow.graph, { signal: controller.signal })).rejects.toBe(reason);
    });

    test("a run that is given up while it computes rejects at once, and the next one is served", async () => {
      const slow = slowGraph();
      await using program = await engine.compile(slow.graph);
      const controller = new AbortController();
      const running = program.run(slow.inputs(), { signal: controller.signal });
      setImmediate(() => controller.abort(new Error("stop")));
      await expect(running).rejects.toThrow("stop");
      const { outputs } = await program.run(slow.inputs());
      expect(outputs["sum"]?.shape).toEqual([1, 32, 1, 1]);
    });

    test("a program that was disposed of serves what was asked before, and then no more", async () => {
      const program = await engine.compile(
        graphOf({ y: build.relu(build.input("x", { type: "float32", shape: [1] })) }),
        { label: "short-lived" },
      );
      const asked = program.run({ x: float32([1], [3]) });
      await program[Symbol.asyncDispose]();
      expect((await asked).outputs["y"]?.data[0]).toBe(3);
      await expect(program.run({ x: float32([1], [3]) })).rejects.toMatchObject({ code: "engine-failed" });
      await program[Symbol.asyncDispose]();
    });

    test("an engine that is disposed of fails the runs that wait, and later ones", async () => {
      const slow = slowGraph();
      const other = await open();
      const program = await other.compile(slow.graph, { label: "the last one" });
      const waiting = Promise.allSettled([program.run(slow.inputs()), program.run(slow.inputs())]);
      await other[Symbol.asyncDispose]();
      for (const result of await waiting) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "engine-failed" } });
      }
      await expect(program.run(slow.inputs())).rejects.toThrow(/"the last one".*closed/);
      await expect(other.compile(slow.graph)).rejects.toMatchObject({ code: "engine-failed" });
      await program[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });
  });
}

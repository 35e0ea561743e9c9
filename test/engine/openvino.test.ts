import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openOpenVinoEngine } from "../../packages/core/src/engine/openvino/index.ts";
import * as build from "../../packages/core/src/graph/build.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import type { Graph } from "../../packages/core/src/graph/graph.ts";
import { randomGraph, randomInputs } from "../../packages/core/src/graph/random-graph-conformance.ts";
import { evaluate } from "../../packages/core/src/graph/reference.ts";
import { mapNodes, rewrite } from "../../packages/core/src/graph/rewrite.ts";
import { elementsOf, float32 } from "../../packages/core/src/graph/tensor.ts";
import type { Tensor } from "../../packages/core/src/graph/tensor.ts";
import { engineConformance } from "./conformance.ts";
import { scattered } from "./operator-cases.ts";

interface Finding {
  /** Why OpenVINO can't be tested on this machine. */
  readonly missing?: string;
  readonly narrow: boolean;
}

async function look(): Promise<Finding> {
  try {
    await using engine = await openOpenVinoEngine();
    return { narrow: engine.precisions.includes("bfloat16") };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error), narrow: false };
  }
}

const { missing, narrow } = await look();

engineConformance("openvino cpu", () => openOpenVinoEngine(), { missing });
if (narrow) engineConformance("openvino cpu", () => openOpenVinoEngine(), { precision: "bfloat16" });

/** Three channels of bytes, added up by a convolution, then along rows. */
function sums(weight: Tensor, columns: number): Graph {
  const pixels = build.cast(build.input("pixels", { type: "uint8", shape: [1, 3, 4, columns] }), "float32");
  const features = build.relu(build.conv(pixels, build.constant(weight)));
  return graphOf({ features, rows: build.reduceSum(features, [3]) });
}

/** A whole number to 8 bits, halves to the even one. */
function toBfloat16(value: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, value))) - 7);
  const [below, rest] = [Math.floor(value / step), value % step];
  const up = rest * 2 > step || (rest * 2 === step && below % 2 === 1);
  return (below + (up ? 1 : 0)) * step;
}

const columns = 1000;
const bytes = Uint8Array.from({ length: 3 * 4 * columns }, (_, index) => (index * 37) % 256);

async function run(graph: Graph, precision: "float32" | "bfloat16"): Promise<Readonly<Record<string, Float64Array>>> {
  await using engine = await openOpenVinoEngine({ threads: 1 });
  await using program = await engine.compile(graph, { precision });
  const pixels: Tensor = { type: "uint8", shape: [1, 3, 4, columns], data: Uint8Array.from(bytes) };
  const { outputs } = await program.run({ pixels });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, elementsOf(tensor)]));
}

describe.skipIf(!narrow)("openvino in bfloat16, where the processor has it", () => {
  test("adds up in float32 what is in bfloat16, and gives out in float32", async () => {
    // Bytes and ones have 8 bits; sums of three bytes have up to 10, which bfloat16 has not.
    const graph = sums(float32([1, 3, 1, 1], [1, 1, 1]), columns);
    const { features, rows } = await run(graph, "bfloat16");
    const at = (channel: number, row: number, column: number): number =>
      bytes[(channel * 4 + row) * columns + column] ?? 0;
    const expected = Array.from({ length: 4 * columns }, (_, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      return at(0, row, column) + at(1, row, column) + at(2, row, column);
    });
    expect([...(features ?? [])]).toEqual(expected);
    // What a convolution gives to others is rounded, as they read it; its sums, which need 19 bits, are not.
    const added = expected.map(toBfloat16);
    expect([...(rows ?? [])]).toEqual(
      [0, 1, 2, 3].map((row) => added.slice(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value, 0)),
    );
  });

  test("computes narrower, and in float32 does not", async () => {
    const graph = sums(scattered([8, 3, 1, 1]), columns);
    const none = new Float64Array();
    const [wide, small] = await Promise.all([run(graph, "float32"), run(graph, "bfloat16")]);
    const largest = (wide["features"] ?? none).reduce((most, value) => Math.max(most, value), 0);
    const error = (wide["features"] ?? none).reduce(
      (most, value, index) => Math.max(most, Math.abs(value - (small["features"]?.[index] ?? Number.NaN))),
      0,
    );
    // Weights are rounded to 8 bits: 2^-9 of each product, three of which are added.
    expect(error / largest).toBeGreaterThan(1e-5);
    expect(error / largest).toBeLessThan(3 * 2 ** -9);
  });
});
if (missing === undefined && !narrow) {
  test.skip("bfloat16: the processor does not have it", () => undefined);
}

/** The image as one of a single size. */
function ofOneSize(graph: Graph): Graph {
  const closed = rewrite(Object.values(graph.outputs), (node) =>
    node.op === "Input" ? build.input(node.name, { type: node.type, shape: node.shape }) : node,
  );
  return graphOf(mapNodes(graph.outputs, closed));
}

test.skipIf(missing !== undefined)(
  "random graphs have the values of the reference evaluator, also where it does not know the image's size",
  async () => {
    await using engine = await openOpenVinoEngine({ threads: 1 });
    const graphs = Array.from({ length: 20 }, (_, index) => {
      return { seed: index + 1, graph: graphOf({ y: randomGraph(index + 1).output }) };
    }).filter(({ graph }) => graph.inputs.length > 0);
    const wrong: string[] = [];
    for (const { seed, graph } of graphs) {
      const values = randomInputs(graph, seed);
      const expected = evaluate(graph, values)["y"]?.data ?? new Float64Array();
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      for (const [form, compiled] of Object.entries({ open: graph, closed: ofOneSize(graph) })) {
        await using program = await engine.compile(compiled, { label: `graph ${seed}` });
        const inputs = Object.entries(values).map(
          ([name, { shape, data }]) => [name, float32(shape, Float32Array.from(data))] as const,
        );
        const { outputs } = await program.run(Object.fromEntries(inputs));
        const got = outputs["y"] === undefined ? [] : elementsOf(outputs["y"]);
        // Some ten operators one after the other, each rounded.
        const isWrong = expected.some((value, at) => !(Math.abs(value - (got[at] ?? Number.NaN)) <= 1e-5 * largest));
        if (isWrong) wrong.push(`${seed}, ${form}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(graphs.filter(({ graph }) => engine.resizes(graph)).length).toBeGreaterThan(12);
  },
);

test("a library that is not there, or is none, is refused with the way to get it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "openvino-"));
  try {
    const path = join(folder, "libopenvino_c.so");
    await expect(openOpenVinoEngine({ library: path })).rejects.toMatchObject({
      code: "engine-unavailable",
      message: expect.stringMatching(/libopenvino_c\.so, found none.*npm run setup:openvino.*SLIDELIGHT_OPENVINO/su),
    });
    await writeFile(path, "this is no library");
    await expect(openOpenVinoEngine({ library: path })).rejects.toMatchObject({
      code: "engine-unavailable",
      message: expect.stringContaining("npm run setup:openvino"),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.skipIf(missing !== undefined)("a device that is not there is refused", async () => {
  await expect(openOpenVinoEngine({ provider: "gpu", device: 9 })).rejects.toMatchObject({
    code: "engine-unavailable",
    message: expect.stringContaining("GPU.9"),
  });
});

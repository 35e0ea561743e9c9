import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  explainImage,
  explainPixels,
  openEngine,
  openProgramCache,
  openSource,
  openStore,
  parseManifest,
} from "@slidelight/core";
import type { Engine, ExplanationResult, ExplanationSettings, Manifest, Model, PipelineEvent } from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { constant } from "../packages/core/src/graph/build.ts";
import { graphOf } from "../packages/core/src/graph/graph.ts";
import { mapNodes, rewrite } from "../packages/core/src/graph/rewrite.ts";
import { elementsOf, float32 } from "../packages/core/src/graph/tensor.ts";
import { differenceOf, mapValues } from "./map-values.ts";
import { smallUNet } from "./small-unet.ts";

let folder = "";
let engine: Engine | undefined;
const size = { width: 211, height: 187 };
const tissue = renderTissue({ x: 40, y: 90, ...size }, { seed: 3, atypical: 0.6 }).rgb;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-together-"));
  engine = await openEngine({ engine: "onnxruntime", threads: 2 });
  await sharp(tissue, { raw: { ...size, channels: 3 } })
    .png()
    .toFile(join(folder, "tissue.png"));
});

afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const mean = [0.5, 0.5, 0.5] as const;
const std = [0.2, 0.2, 0.2] as const;

interface Explained {
  readonly results: readonly ExplanationResult[];
  readonly events: readonly PipelineEvent[];
}

let outputs = 0;

async function explain(
  settings: Partial<ExplanationSettings>,
  { model = smallUNet(), on = engine }: { readonly model?: Model; readonly on?: Engine } = {},
): Promise<Explained> {
  if (on === undefined) throw new RangeError("The engine was not opened.");
  outputs += 1;
  const uri = join(folder, "tissue.png");
  const events: PipelineEvent[] = [];
  const results = await explainImage(
    { uri, key: "tissue.png", open: () => openSource(uri) },
    { methods: ["grad-cam"], targets: ["top1"], tissue: "off", tile: 96, mean, std, ...settings },
    {
      engine: on,
      model,
      output: openStore(join(folder, `out-${outputs}`)),
      scratch: join(folder, "scratch"),
      observe: (event) => events.push(event),
    },
  );
  return { results, events };
}

async function manifestOf(result: ExplanationResult | undefined): Promise<Manifest> {
  if (result === undefined) throw new RangeError("There is no result.");
  if (result.status === "failed") throw result.error;
  return parseManifest(await readFile(join(result.output, "manifest.json")), result.output);
}

async function valuesOf(result: ExplanationResult | undefined): Promise<Float32Array> {
  if (result === undefined || result.status === "failed") throw new RangeError("There is no map.");
  return mapValues(result.output, size);
}

const methods = ["grad-cam", "hires-cam", "saliency", "input-x-gradient"] as const;

describe("methods and targets of one image", () => {
  it("are computed in the same visits to its tiles, and each is what it is by itself", async () => {
    const together = await explain({ methods, targets: ["top1", "2-0"], raw: "float32" });
    const planned = together.events.filter(({ kind }) => kind === "image-planned");
    expect(planned).toHaveLength(1);
    expect(together.results.map(({ method, target, status }) => [method, target, status])).toEqual(
      methods.flatMap((method) => ["1", "2-0"].map((target) => [method, target, "done"])),
    );
    for (const result of together.results) {
      const target = result.target === "2-0" ? "2-0" : "top1";
      const alone = await explain({ methods: [result.method], targets: [target], raw: "float32" });
      expect(await valuesOf(result).then((values) => values.some((value) => value !== 0))).toBe(true);
      // The same operations in float32; engines choose their kernels by the whole graph.
      expect(differenceOf(await valuesOf(alone.results[0]), await valuesOf(result))).toBeLessThanOrEqual(1e-5);
    }
  });

  it("that do not suit the model fail by themselves, and leave the others' results", async () => {
    const { results } = await explain({ methods: ["grad-cam", "cam"], targets: ["0", "9"], layer: "down1" });
    expect(results.map(({ method, target, status }) => `${method} ${target} ${status}`)).toEqual([
      "grad-cam 0 done",
      "grad-cam 9 failed",
      "cam 0 failed",
      "cam 9 failed",
    ]);
    const codes = results.map((result) => (result.status === "failed" ? result.error.code : "none"));
    expect(codes).toEqual(["none", "target-unknown", "method-unsuitable", "target-unknown"]);
  });
});

describe("pixels in memory", () => {
  it("have the map that the image's file has", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const model = smallUNet();
    const { results } = await explain({ methods: ["hires-cam", "saliency"], raw: "float32" }, { model });
    await using programs = openProgramCache(engine);
    const classes = ["0", "1", "2"];
    const found = await explainPixels(
      { ...size, samples: "uint8", data: Uint8Array.from(tissue) },
      [
        { method: "hires-cam", target: { kind: "top1" }, classes },
        { method: "saliency", target: { kind: "top1" }, classes },
      ],
      { engine, programs, model, mean, std },
    );
    expect(found).toHaveLength(2);
    for (const [index, { map, outcome }] of found.entries()) {
      const manifest = await manifestOf(results[index]);
      expect(outcome.target.label).toBe(manifest.target);
      expect(differenceOf(await valuesOf(results[index]), map)).toBeLessThanOrEqual(1e-5);
    }
  });
});

/** The engine with weights that have 8 bits, as in bfloat16: a lower precision on any machine. */
function narrowed(wide: Engine): Engine {
  return {
    ...wide,
    precisions: ["float32", "bfloat16"],
    compile: (graph, { precision, ...options } = {}) => {
      if (precision !== "bfloat16") return wide.compile(graph, options);
      const map = rewrite(Object.values(graph.outputs), (node) => {
        if (node.op !== "Constant" || node.shape.length < 4) return node;
        const { tensor } = node.attributes;
        const bits = new Uint32Array(Float32Array.from(elementsOf(tensor)).buffer).map(
          (bits) => (bits + 0x8000) & 0xffff0000,
        );
        return constant(float32(tensor.shape, new Float32Array(bits.buffer)));
      });
      return wide.compile(graphOf(mapNodes(graph.outputs, map)), options);
    },
  };
}

describe("a precision below float32", () => {
  it("is measured on the image, stands in the manifest, and is used below the bound", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const on = narrowed(engine);
    const { results, events } = await explain({ precision: "bfloat16", maxError: 0.2, raw: "float32" }, { on });
    const { precision } = await manifestOf(results[0]);
    expect(precision).toMatchObject({ requested: "bfloat16", used: "bfloat16", measured: { bound: 0.2, probes: 1 } });
    const { quantile = 0, largest = 0, mean = 0 } = precision?.measured?.error ?? {};
    expect(mean).toBeGreaterThan(0);
    expect(quantile).toBeGreaterThan(mean);
    expect(largest).toBeGreaterThanOrEqual(quantile);
    expect(events.filter(({ kind }) => kind === "warning")).toEqual([]);
    // What was measured on parts is about what the whole map then has.
    const wide = await explain({ raw: "float32" });
    const error = differenceOf(await valuesOf(wide.results[0]), await valuesOf(results[0]));
    expect(error).toBeGreaterThan(quantile / 10);
    expect(error).toBeLessThan(quantile * 10);
  });

  it("falls back to float32 above the bound, with a warning, run by run", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const on = narrowed(engine);
    const { results, events } = await explain({ precision: "bfloat16", maxError: 1e-9, raw: "float32" }, { on });
    const { precision } = await manifestOf(results[0]);
    expect(precision).toMatchObject({ requested: "bfloat16", used: "float32", measured: { bound: 1e-9 } });
    const [warning] = events.filter((event) => event.kind === "warning");
    expect(warning).toMatchObject({ message: expect.stringMatching(/bfloat16 is off by .* computed in float32/u) });
    const wide = await explain({ raw: "float32" });
    expect(await valuesOf(results[0])).toEqual(await valuesOf(wide.results[0]));
  });

  it("is given up for those runs alone that it does not suit", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const on = narrowed(engine);
    const both = { methods: ["grad-cam", "saliency"], precision: "bfloat16", raw: "float32" } as const;
    const coarse = await explain({ ...both, maxError: 1 }, { on });
    const errors = await Promise.all(
      coarse.results.map(async (result) => (await manifestOf(result)).precision?.measured?.error.quantile ?? 0),
    );
    const [smaller = 0, larger = 0] = errors.toSorted((a, b) => a - b);
    expect(larger).toBeGreaterThan(smaller);
    const mixed = await explain({ ...both, maxError: (smaller + larger) / 2 }, { on });
    expect(mixed.results.map(({ status }) => status)).toEqual(["done", "done"]);
    expect(mixed.events.filter(({ kind }) => kind === "warning")).toHaveLength(1);
    const wide = await explain({ ...both, precision: "float32" });
    for (const [index, result] of mixed.results.entries()) {
      const suits = errors[index] === smaller;
      expect((await manifestOf(result)).precision?.used).toBe(suits ? "bfloat16" : "float32");
      const same = suits ? coarse.results[index] : wide.results[index];
      // A program of its own adds up in another order.
      const values = await valuesOf(same);
      const scale = Math.max(...values.map(Math.abs));
      expect(differenceOf(values, await valuesOf(result)) * scale).toBeLessThanOrEqual(1e-5 * scale);
    }
  });

  it("gives the run another id, and the bound too", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const on = narrowed(engine);
    const ids = new Set<string>();
    for (const settings of [
      {},
      { maxError: 0.3 },
      { precision: "float32" },
      { precision: "bfloat16", maxError: 0.3 },
      { precision: "bfloat16", maxError: 0.4 },
    ] as const) {
      ids.add((await manifestOf((await explain(settings, { on })).results[0])).runId);
    }
    expect(ids.size).toBe(3);
  });

  it("that the engine does not have is refused, naming what it has", async () => {
    await expect(explain({ precision: "bfloat16" })).rejects.toMatchObject({
      code: "engine-unavailable",
      message: expect.stringMatching(/bfloat16.*onnxruntime on cpu \(float32\).*slidelight engines/su),
    });
  });
});

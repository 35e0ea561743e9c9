import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defaultUNet, encodeOnnx, manifestSchema, unetGraph, unetParameters } from "@slidelight/core";
import type { NodeProto } from "../packages/core/src/format/onnx/proto.ts";
import { writeModelProto } from "../packages/core/src/format/onnx/proto-writer.ts";
import { encodeTensor } from "../packages/core/src/format/onnx/tensors.ts";
import { sigmoid } from "../packages/core/src/graph/build.ts";
import { graphOf } from "../packages/core/src/graph/graph.ts";
import { tensorOf } from "../packages/core/src/graph/tensor.ts";
import { openWorkplace, slidelight, start, writeImage } from "./slidelight.ts";
import type { Workplace } from "./slidelight.ts";

let work: Workplace;
beforeAll(async () => {
  work = await openWorkplace();
});
afterAll(() => work[Symbol.asyncDispose]());

const run = (...args: readonly string[]) => slidelight(args, { folder: work.folder });

const document = z.strictObject({
  results: z.array(
    z.strictObject({
      image: z.string(),
      status: z.enum(["done", "skipped", "failed"]),
      runId: z.string().nullable(),
      method: z.string(),
      target: z.string(),
      output: z.string().nullable(),
      error: z.strictObject({ code: z.string(), message: z.string() }).exactOptional(),
    }),
  ),
});

const binary = { ...defaultUNet, depth: 1, baseChannels: 2, classes: 1 };

/** Takes away every axis of extent 1, which an image of one row has one more of. */
function squeezingModel(): Uint8Array {
  const node = (operator: string, inputs: readonly string[], output: string): NodeProto => {
    return { name: operator, operator, domain: "", inputs, outputs: [output], attributes: [] };
  };
  return writeModelProto({
    irVersion: 8,
    producerName: "test",
    opsets: [{ domain: "", version: 17 }],
    metadata: {},
    graph: {
      name: "",
      nodes: [
        node("Squeeze", ["image"], "squeezed"),
        node("Unsqueeze", ["squeezed", "axes"], "whole"),
        node("Relu", ["whole"], "features"),
        node("GlobalAveragePool", ["features"], "pooled"),
        node("Flatten", ["pooled"], "flat"),
        node("MatMul", ["flat", "weight"], "scores"),
      ],
      initializers: [
        encodeTensor(tensorOf("int64", [1], [0]), "axes"),
        encodeTensor(tensorOf("float32", [3, 2], [1, 2, 3, 4, 5, 6]), "weight"),
      ],
      sparseInitializers: 0,
      inputs: [{ name: "image", dataType: 1, shape: ["n", 3, "h", "w"] }],
      outputs: [{ name: "scores", dataType: 1, shape: undefined }],
    },
  });
}

const resultsOf = (stdout: string) => document.parse(JSON.parse(stdout)).results;

describe("slidelight", () => {
  test("tells its commands and its version", async () => {
    expect(await run("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("enqueue") });
    expect(await run("--version")).toMatchObject({ status: 0, stdout: "0.1.0\n" });
  });

  test("ends with status 2 for a command or an option that it does not know", async () => {
    expect(await run("explode")).toMatchObject({ status: 2, stderr: expect.stringContaining('"explode"') });
    expect(await run("explain", "a.png", "--colour", "red")).toMatchObject({ status: 2 });
    expect(await run("explain")).toMatchObject({ status: 2 });
  });

  test("refuses more threads than any machine has, for which engines take all memory and hang", async () => {
    const { status, stderr } = await run("explain", "a.png", "--model", "m", "--out", "o", "--threads", "100000");
    expect(status).toBe(2);
    expect(stderr).toContain("--threads (SLIDELIGHT_THREADS): expected an integer from 1 to 1024");
  });

  test("tells all faults of the options in one message, with the flags' names", async () => {
    const { status, stderr } = await run("explain", "a.png", "--tile", "none", "--mean", "1,2", "--method", "guess");
    expect(status).toBe(2);
    for (const flag of ["--model", "--out", "--tile", "--mean", "--method"]) expect(stderr).toContain(flag);
    expect(stderr).not.toContain("    at ");
  });
});

describe("slidelight explain", () => {
  test("gives a result for each image, method and target, and skips them the second time", async () => {
    const args = [
      "explain",
      "images/",
      "--model",
      "model.onnx",
      "--out",
      "maps",
      "--method",
      "grad-cam,cam",
      "--target",
      "plain,odd",
      "--json",
    ];
    const first = await run(...args);
    expect(first.status, first.stderr).toBe(0);
    const results = resultsOf(first.stdout);
    expect(results.map(({ image, method, target, status }) => `${image} ${method} ${target} ${status}`)).toEqual(
      ["a", "b"].flatMap((name) =>
        ["grad-cam", "cam"].flatMap((method) =>
          ["plain", "odd"].map((target) => `images/${name}.png ${method} ${target} done`),
        ),
      ),
    );
    for (const { output, runId } of results) {
      const manifest = manifestSchema.parse(
        JSON.parse(await readFile(join(work.folder, output ?? "", "manifest.json"), "utf8")),
      );
      expect(manifest.runId).toBe(runId);
    }
    const second = await run(...args);
    expect(resultsOf(second.stdout).map(({ status, runId }) => `${status} ${runId}`)).toEqual(
      results.map(({ runId }) => `skipped ${runId}`),
    );
  });

  test("takes methods and targets between commas or flag by flag, each once", async () => {
    const one = ["--method", "cam", "--method", "grad-cam,cam", "--target", "plain", "--target", "odd-plain"];
    const { status, stdout, stderr } = await run(
      "explain",
      "images/a.png",
      "--model",
      "model.onnx",
      "--out",
      "repeated",
      "--json",
      ...one,
    );
    expect(status, stderr).toBe(0);
    expect(resultsOf(stdout).map(({ method, target, status }) => `${method} ${target} ${status}`)).toEqual([
      "cam plain done",
      "cam odd-plain done",
      "grad-cam plain done",
      "grad-cam odd-plain done",
    ]);
  });

  test("tells a bad image in one line with its code, and explains the others", async () => {
    await writeFile(join(work.folder, "poisoned.png"), "this is no image");
    const { status, stdout, stderr } = await run(
      "explain",
      "poisoned.png",
      "missing.png",
      "images/a.png",
      "--model",
      "model.onnx",
      "--out",
      "others",
      "--json",
    );
    expect(status).toBe(1);
    expect(resultsOf(stdout).map(({ image, status, error }) => [image, status, error?.code])).toEqual([
      ["poisoned.png", "failed", "image-not-an-image"],
      ["missing.png", "failed", "image-not-found"],
      ["images/a.png", "done", undefined],
    ]);
    expect(stderr).toContain("✗ poisoned.png: [image-not-an-image]");
    expect(stderr).not.toContain("    at ");
    expect(await readdir(join(work.folder, "others"))).toEqual(["images"]);
  });

  test("tells a fault of the model once, for all images", async () => {
    await writeFile(join(work.folder, "bad.onnx"), "this is no model");
    const { status, stdout, stderr } = await run(
      "explain",
      "images/",
      "--model",
      "bad.onnx",
      "--out",
      "maps",
      "--json",
    );
    expect(status).toBe(1);
    expect(resultsOf(stdout).map(({ error }) => error?.code)).toEqual(["model-unreadable", "model-unreadable"]);
    expect(stderr.match(/✗/gu)).toHaveLength(1);
  });

  test("tells what a path is that is there, but is no model's", async () => {
    const explain = (model: string) => run("explain", "images/", "--model", model, "--out", "maps");
    expect((await explain("images")).stderr).toContain(
      "[model-unreadable] Opening the model images failed: expected an ONNX file, got a folder.",
    );
    expect((await explain("/dev/null")).stderr).toContain("expected an ONNX file, got no regular file.");
    expect((await explain("absent.onnx")).stderr).toContain("[model-not-found] Opening the model absent.onnx failed");
  });

  test("tells a fault of one image beside its name, and explains the others", async () => {
    await writeFile(join(work.folder, "squeezing.onnx"), squeezingModel());
    await writeImage(join(work.folder, "shapes", "a-row.png"), { width: 40, height: 1, seed: 3 });
    await writeImage(join(work.folder, "shapes", "b-square.png"), { width: 40, height: 40, seed: 3 });
    const args = ["explain", "shapes/", "--model", "squeezing.onnx", "--out", "shapes-out", "--json"];
    const { status, stdout, stderr } = await run(...args);
    expect(status).toBe(1);
    expect(resultsOf(stdout).map(({ image, status, error }) => [image, status, error?.code])).toEqual([
      ["shapes/a-row.png", "failed", "model-no-pool"],
      ["shapes/b-square.png", "done", undefined],
    ]);
    expect(stderr).toContain("✗ shapes/a-row.png: [model-no-pool]");
  });

  test("tells an unknown class once, with the classes that there are", async () => {
    const { status, stderr } = await run(
      "explain",
      "images/",
      "--model",
      "model.onnx",
      "--out",
      "maps",
      "--target",
      "cat",
    );
    expect(status).toBe(1);
    expect(stderr).toContain("[target-unknown]");
    expect(stderr).toContain("plain");
    expect(stderr.match(/✗/gu)).toHaveLength(1);
  });

  test("fails for a layer or a level that is not there, and ends with status 2 for what can be none", async () => {
    const explain = (...args: readonly string[]) =>
      run("explain", "images/a.png", "--model", "model.onnx", "--out", "maps", ...args);
    expect(await explain("--layer", "attic")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("[layer-unknown]"),
    });
    expect(await explain("--level", "9")).toMatchObject({ status: 1, stderr: expect.stringContaining("[usage]") });
    expect(await explain("--level", "1.5")).toMatchObject({ status: 2, stderr: expect.stringContaining("[usage]") });
    expect((await run("--help")).stdout).toContain(
      "A class, a layer, a level or a place that is not there is a failure: 1.",
    );
  });

  test("shows where a failure came from when it is asked to", async () => {
    const { stderr } = await slidelight(["explain", "missing.png", "--model", "model.onnx", "--out", "maps"], {
      folder: work.folder,
      env: { SLIDELIGHT_DEBUG: "1" },
    });
    expect(stderr).toContain("    at ");
  });

  test("takes options from the environment, and flags first", async () => {
    const env = { SLIDELIGHT_MODEL: "model.onnx", SLIDELIGHT_OUT: "from-environment", SLIDELIGHT_METHOD: "hires-cam" };
    const { status, stdout } = await slidelight(["explain", "images/a.png", "--json", "--method", "cam"], {
      folder: work.folder,
      env,
    });
    expect(status).toBe(0);
    expect(resultsOf(stdout)).toMatchObject([{ method: "cam", output: expect.stringMatching(/^from-environment\//u) }]);
  });

  test("stops at SIGINT without a half-written result, and goes on with what it had", async () => {
    await writeImage(join(work.folder, "large.png"), { side: 1500, seed: 5 });
    const args = ["explain", "images/a.png", "large.png", "--model", "model.onnx", "--out", "stopped"].concat([
      "--tile",
      "64",
      "--scratch",
      "scratch",
    ]);
    const scratch = (): Promise<readonly string[]> => readdir(join(work.folder, "scratch"));
    await using command = start(args, { folder: work.folder });
    await command.line("images/a.png");
    // Something of the large image is to be there.
    await expect.poll(scratch, { timeout: 60_000 }).toContainEqual(expect.stringMatching(/^work-/u));
    command.kill("SIGINT");
    expect(await command.outcome).toMatchObject({ status: 130, stderr: expect.stringContaining("Interrupted") });
    expect(await readdir(join(work.folder, "stopped"))).toEqual(["images"]);
    // For the same command, which takes it up.
    expect(await scratch()).toEqual([expect.stringMatching(/^work-[0-9a-f]{32}$/u)]);
    expect(await slidelight([...args, "--json"], { folder: work.folder })).toMatchObject({ status: 0 });
    expect(await scratch()).toEqual([]);
  });
});

describe("slidelight inspect", () => {
  test("tells a model's split, classes and halo", async () => {
    const { status, stdout } = await run("inspect", "model.onnx", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "model",
      classes: ["plain", "odd"],
      tiling: { exact: true, stride: 2 },
    });
  });

  test("tells that a model's final sigmoid is left out", async () => {
    const graph = unetGraph(binary, unetParameters(binary), { width: 32, height: 32 });
    const [scores] = Object.values(graph.outputs);
    if (scores === undefined) throw new RangeError("A model without scores.");
    const bytes = encodeOnnx(graphOf({ scores: sigmoid(scores) }), { dynamicAxes: true });
    await writeFile(join(work.folder, "binary.onnx"), bytes);
    expect((await run("inspect", "binary.onnx")).stdout).toContain("(sigmoid is left out: logits are explained)");
    const { stdout } = await run("inspect", "binary.onnx", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ classes: ["0"], softmax: false, sigmoid: true });
  });

  test("tells an image's format and levels", async () => {
    const { status, stdout } = await run("inspect", "images/b.png", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "image", format: "PNG", levels: [{ width: 57, height: 57 }] });
  });
});

describe("slidelight engines", () => {
  const finding = z.strictObject({
    engine: z.string(),
    provider: z.string(),
    on: z.string(),
    present: z.boolean(),
    version: z.string().optional(),
    device: z.string().optional(),
    precisions: z.array(z.string()).optional(),
    speed: z.record(z.string(), z.number().nullable()).optional(),
    reason: z.string().optional(),
    advice: z.string().optional(),
  });
  const report = z.strictObject({
    engines: z.array(finding),
    auto: z.strictObject({ engine: z.string(), provider: z.string() }),
  });

  test("tells which are here and how fast they are, and of the others why not and how to get them", async () => {
    const { status, stdout, stderr } = await run("engines", "--measure", "--json");
    expect(status, stderr).toBe(0);
    const { engines, auto } = report.parse(JSON.parse(stdout));
    expect(new Set(engines.map(({ engine, provider }) => `${engine} ${provider}`)).size).toBe(engines.length);
    const here = engines.filter(({ present }) => present);
    expect(here).toContainEqual(expect.objectContaining({ engine: "onnxruntime", provider: "cpu" }));
    expect(here).toContainEqual(expect.objectContaining(auto));
    for (const { precisions = [], speed = {} } of here) {
      expect(precisions).toContain("float32");
      expect(Object.keys(speed)).toEqual(precisions);
      expect(speed["float32"]).toBeGreaterThan(0);
    }
    for (const { reason, advice } of engines.filter(({ present }) => !present)) {
      expect(reason).toMatch(/expected .*got/su);
      expect(advice).toMatch(/\w/u);
    }
  });

  test("tells the same in lines", async () => {
    const { status, stdout } = await run("engines");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^✓ onnxruntime cpu +CPU: version \d/mu);
    expect(stdout).toMatch(/^--engine auto takes \w+ on \w+$/mu);
  });

  test("an engine, a provider or a precision that is not there is refused in one line that says what to do", async () => {
    const images = ["explain", "images/a.png", "--model", "model.onnx", "--out", "refused"];
    const named = await run(...images, "--engine", "abacus");
    expect(named).toMatchObject({ status: 2, stderr: expect.stringContaining("--engine") });
    const provided = await run(...images, "--engine", "openvino", "--provider", "webgpu");
    expect(provided).toMatchObject({ status: 2, stderr: expect.stringMatching(/expected a provider among cpu, gpu/u) });
    const precise = await run(...images, "--engine", "onnxruntime", "--precision", "bfloat16");
    expect(precise).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[engine-unavailable\] .*bfloat16.*slidelight engines/u),
    });
    expect(await readdir(work.folder)).not.toContain("refused");
  });
});

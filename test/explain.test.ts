import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainImage, openSource, openStore, parseManifest } from "@slidelight/core";
import type { ExplanationResources, ExplanationSettings, Manifest, Model, UNetSettings } from "@slidelight/core";
import { openOnnxRuntimeEngine } from "@slidelight/core/onnxruntime";
import { renderTissue } from "@slidelight/synthesis";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { smallUNet } from "./small-unet.ts";

type Engine = Awaited<ReturnType<typeof openOnnxRuntimeEngine>>;

let folder = "";
let engine: Engine | undefined;
const size = { width: 301, height: 243 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-explain-"));
  engine = await openOnnxRuntimeEngine({ threads: 2 });
  const { rgb } = renderTissue({ x: 40, y: 90, ...size }, { seed: 3, atypical: 0.6 });
  await sharp(rgb, { raw: { ...size, channels: 3 } })
    .png()
    .toFile(join(folder, "tissue.png"));
});

afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function unet(settings: Partial<UNetSettings>): Model {
  return smallUNet({ classes: 2, ...settings });
}

let outputs = 0;

/** Explains an image of the folder with each setting's own output folder, and reads back what was written. */
async function explain(
  model: Model,
  settings: Partial<ExplanationSettings>,
  image = "tissue.png",
): Promise<{ readonly manifest: Manifest; readonly folder: string; readonly values: Float32Array }> {
  if (engine === undefined) throw new RangeError("The engine was not opened.");
  outputs += 1;
  const resources: ExplanationResources = {
    engine,
    model,
    output: openStore(join(folder, `out-${outputs}`)),
    scratch: join(folder, "scratch"),
  };
  const uri = join(folder, image);
  const [result] = await explainImage(
    { uri, key: image, open: () => openSource(uri) },
    { methods: ["grad-cam"], targets: ["top1"], tissue: "off", raw: "float32", ...settings },
    resources,
  );
  if (result === undefined) throw new RangeError("No result.");
  if (result.status === "failed") throw result.error;
  const bytes = await readFile(join(result.output, "manifest.json"));
  const manifest = parseManifest(bytes, result.output);
  const values =
    settings.raw === undefined && "raw" in settings ? new Float32Array() : await readZarr(result.output, manifest);
  return { manifest, folder: result.output, values };
}

/** Level 0 of a map that is one chunk. */
async function readZarr(run: string, { image }: Manifest): Promise<Float32Array> {
  const chunk = await readFile(join(run, "map.zarr", "0", "c", "0", "0"));
  const values = new Float32Array(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.byteLength));
  const cropped = new Float32Array(image.width * image.height);
  for (let y = 0; y < image.height; y += 1)
    cropped.set(values.subarray(y * 1024, y * 1024 + image.width), y * image.width);
  return cropped;
}

function differences(a: Float32Array, b: Float32Array): { readonly range: number; readonly sorted: Float32Array } {
  const min = a.reduce((least, value) => Math.min(least, value), Infinity);
  const max = a.reduce((most, value) => Math.max(most, value), -Infinity);
  return { range: max - min, sorted: a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))).sort() };
}

describe("tiled = untiled in float32", () => {
  for (const depth of [2, 3, 4]) {
    for (const upsampling of ["transposed", "linear"] as const) {
      it(`to 1e-5 of the range for forward methods: depth ${depth}, ${upsampling}`, async () => {
        const model = unet({ depth, upsampling });
        for (const method of ["cam", "layer-cam"] as const) {
          const whole = await explain(model, { methods: [method], tile: 512 });
          for (const tile of [32, 112]) {
            const tiled = await explain(model, { methods: [method], tile });
            const { range, sorted } = differences(whole.values, tiled.values);
            expect(range).toBeGreaterThan(0);
            expect(sorted.at(-1)).toBeLessThanOrEqual(1e-5 * range);
            whole.manifest.classes.forEach(({ logit }, i) =>
              expect(tiled.manifest.classes[i]?.logit).toBeCloseTo(logit, 5),
            );
          }
        }
      });

      // Rounding flips a ReLU or a maximum here and there, in any framework: a quantile is bounded, not the largest.
      it(`to 1e-5 of the range at 99.9 % of the pixels for gradients: depth ${depth}, ${upsampling}`, async () => {
        const model = unet({ depth, upsampling });
        const whole = await explain(model, { methods: ["saliency"], tile: 512 });
        const tiled = await explain(model, { methods: ["saliency"], tile: 112 });
        const { range, sorted } = differences(whole.values, tiled.values);
        expect(range).toBeGreaterThan(0);
        expect(sorted[Math.floor(0.999 * sorted.length)]).toBeLessThanOrEqual(1e-5 * range);
      });
    }
  }
});

describe("an image of one row, of one column or of one pixel", () => {
  it.each([
    [300, 1],
    [1, 300],
    [1, 1],
  ])("has maps like any other: %d x %d", async (width, height) => {
    const { rgb } = renderTissue({ x: 40, y: 90, width, height }, { seed: 3, atypical: 0.6 });
    const name = `${width}x${height}.png`;
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, name));
    for (const method of ["hires-cam", "saliency"] as const) {
      const whole = await explain(unet({}), { methods: [method], targets: ["1"], tile: 1024 }, name);
      const tiled = await explain(unet({}), { methods: [method], targets: ["1"], tile: 32 }, name);
      expect(whole.values).toHaveLength(width * height);
      const { range, sorted } = differences(whole.values, tiled.values);
      expect(sorted.at(-1)).toBeLessThanOrEqual(1e-5 * range);
      if (method === "hires-cam") {
        const sum = whole.values.reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo(whole.manifest.classes[1]?.logit ?? Number.NaN, 4);
      }
    }
  });
});

describe("sum(HiResCAM) + bias = logit", () => {
  it("holds over tiles", async () => {
    const { manifest, values } = await explain(unet({}), { methods: ["hires-cam"], targets: ["1"], tile: 64 });
    const sum = values.reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(manifest.classes[1]?.logit ?? Number.NaN, 4);
  });
});

describe("a run", () => {
  it("writes the same bytes every time, whatever the order in which tiles were ready", async () => {
    const files = async (): Promise<readonly (readonly [string, string])[]> => {
      const { manifest } = await explain(unet({}), { tile: 48, targets: ["0"] });
      return manifest.outputs.map(({ path, sha256 }) => [path, sha256] as const);
    };
    expect(await files()).toEqual(await files());
  });

  it("lists every file it wrote in the manifest, and nothing else is there", async () => {
    const { manifest, folder: run } = await explain(unet({}), { tile: 128 });
    const entries = await readdir(run, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(run.length + 1));
    expect(files.toSorted()).toEqual([...manifest.outputs.map(({ path }) => path), "manifest.json"].toSorted());
    expect(await readdir(join(folder, "scratch"))).toEqual([]);
    expect(manifest).toMatchObject({
      exact: true,
      method: "grad-cam",
      image: { ...size, level: 0 },
      layer: expect.any(String),
    });
  });

  it("is skipped when its manifest is there, and leaves the bytes alone", async () => {
    if (engine === undefined) throw new RangeError("The engine was not opened.");
    const output = openStore(join(folder, "twice"));
    const uri = join(folder, "tissue.png");
    const image = { uri, key: "tissue.png", open: () => openSource(uri) };
    const settings = { methods: ["cam"], targets: ["0-1"], tissue: "off" } as const;
    const resources = { engine, model: unet({}), output, scratch: join(folder, "scratch") };
    const [first] = await explainImage(image, settings, resources);
    const [second] = await explainImage(image, settings, resources);
    expect(first).toMatchObject({ status: "done", target: "0-1", runId: expect.any(String) });
    expect(second).toEqual({ ...first, status: "skipped" });
  });

  it("has a map.tif whose bytes span the scale", async () => {
    const { manifest, folder: run, values } = await explain(unet({}), { tile: 64, methods: ["cam"], targets: ["0"] });
    const bytes = await sharp(join(run, "map.tif")).toColourspace("b-w").raw().toBuffer();
    const { min, max } = manifest.scale;
    const worst = values.reduce(
      (most, value, i) => Math.max(most, Math.abs(Math.round(((value - min) / (max - min)) * 255) - (bytes[i] ?? -9))),
      0,
    );
    expect(worst).toBeLessThanOrEqual(1);
    expect([Math.min(...bytes), Math.max(...bytes)]).toEqual([0, 255]);
  });

  it("gives a 16-bit image its 16 bits: the map is that of the same picture in 8 bits, to a byte's rounding", async () => {
    const eight = await sharp(join(folder, "tissue.png")).raw().toBuffer();
    const sixteen = Uint16Array.from(eight, (value) => value * 257);
    await sharp(sixteen, { raw: { ...size, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toFile(join(folder, "sixteen.png"));
    const settings = { methods: ["cam"], targets: ["0"], tile: 128 } as const;
    const a = await explain(unet({}), settings);
    const b = await explain(unet({}), settings, "sixteen.png");
    const { range, sorted } = differences(a.values, b.values);
    expect(sorted.at(-1)).toBeLessThanOrEqual(1e-5 * range);
  });

  it("leaves nothing behind when it fails or is given up", async () => {
    await writeFile(join(folder, "broken.png"), (await readFile(join(folder, "tissue.png"))).subarray(0, 5000));
    await expect(explain(unet({}), {}, "broken.png")).rejects.toMatchObject({ name: "SlidelightError" });
    await expect(explain(unet({}), { targets: ["tumour"] })).rejects.toMatchObject({ code: "target-unknown" });
    await expect(explain(unet({}), { layer: "nowhere" })).rejects.toMatchObject({ code: "layer-unknown" });
    expect(await readdir(join(folder, "scratch"))).toEqual([]);
  });
});

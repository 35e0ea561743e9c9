import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp from "sharp";
import { openProgramCache } from "../packages/core/dist/index.js";
import { openOnnxRuntimeEngine } from "../packages/core/dist/engine/onnxruntime/index.js";
import { explain } from "./explain.mjs";
import { median, megapixels, printTable, withResource } from "./measure.mjs";
import { generatedSlide, model, parameters, settings } from "./subjects.mjs";

const goals = { ordinary: 4, best: 2 };
const tile = 1024;
const ordinary = "grad-cam";
const eager = {
  explanations: [ordinary, "grad-cam channels last"],
  forwards: ["forward", "forward channels last"],
};
/** In a process of its own: compiling takes minutes, and does not succeed everywhere. */
const compiled = {
  explanations: ["grad-cam channels last compiled"],
  forwards: ["forward channels last compiled"],
};
const explanations = [...eager.explanations, ...compiled.explanations];
const forwards = [...eager.forwards, ...compiled.forwards];
const compileLimitMs = 300_000;

/**
 * The same network and image in PyTorch and pytorch-grad-cam, in turns with ours: Grad-CAM on the last decoder layer, as
 * ordinarily run (NCHW, eager) and at its best (channels last, compiled), and its plain forward pass for comparison.
 * Ours is end to end, from the file to the committed map; theirs is from pixels in memory, in tiles without a halo.
 */
export async function benchPytorch({ rounds, side }) {
  const python = process.env["SLIDELIGHT_PYTHON"] ?? "python3";
  const missing = await whatIsMissing(python);
  if (missing !== undefined) {
    process.stdout.write(`\nPyTorch is left out: ${missing}\n`);
    return { skipped: missing };
  }
  const image = await generatedSlide(side);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-"));
  try {
    const seconds = new Map();
    const errors = new Map();
    const note = (name, value) => seconds.set(name, [...(seconds.get(name) ?? []), value]);
    const setup = await prepare({ folder, image });
    const theirs = await startPython(python, setup);
    await expectSameNetwork(image, (await theirs.ask("logits")).logits);
    const compiling = await startPython(python, setup);
    const processOf = (variant) => (variant.endsWith("compiled") ? compiling : theirs);
    const take = async (variant) => {
      const reply = await processOf(variant).ask(variant, compileLimitMs);
      if (reply.error === undefined) return reply.seconds;
      errors.set(variant, reply.error);
      return undefined;
    };
    // Compiling and first touches of memory are not what is compared.
    for (const variant of [...explanations, ...forwards]) await take(variant);
    const timeOf = async (variant) => {
      const value = errors.has(variant) ? undefined : await take(variant);
      if (value !== undefined) note(variant, value);
    };
    const engine = await openOnnxRuntimeEngine();
    const shared = { engine, programs: openProgramCache(engine) };
    await explain(image, shared);
    for (let round = 0; round < rounds; round += 1) {
      note("slidelight", (await explain(image, shared)).seconds);
      for (const variant of explanations) await timeOf(variant);
    }
    for (const variant of forwards) await timeOf(variant);
    await shared.programs[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await theirs.close();
    await compiling.close();

    const pixels = megapixels(image);
    const speed = (name) => (seconds.has(name) ? pixels / median(seconds.get(name)) : undefined);
    const ours = speed("slidelight");
    const best = explanations.filter((name) => seconds.has(name)).sort((a, b) => speed(b) - speed(a))[0];
    const rows = [
      { what: "Slidelight, end to end", "MP/s": ours, "ours / it": 1 },
      ...[...explanations, ...forwards].map((name) => ({
        what: `PyTorch ${name}`,
        "MP/s": speed(name),
        "ours / it": speed(name) === undefined ? undefined : ours / speed(name),
      })),
    ];
    printTable(
      `Beside PyTorch ${theirs.greeting.torch}, ${theirs.greeting.threads} threads, ${image.width}x${image.height} (goals: ${goals.ordinary}x "${ordinary}", ${goals.best}x its best, "${best}")`,
      rows,
    );
    for (const [name, error] of errors) process.stdout.write(`  ${name} does not run here: ${error}\n`);
    const ratios = { ordinary: ours / speed(ordinary), best: ours / speed(best) };
    return { goals, ratios, best, rows, errors: Object.fromEntries(errors), versions: theirs.greeting };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws {Error} when PyTorch's class scores of the first tile are not ours. */
async function expectSameNetwork(image, theirs) {
  const size = { width: Math.min(tile, image.width), height: Math.min(tile, image.height) };
  const pixels = await sharp(image.path, { limitInputPixels: false })
    .extract({ left: 0, top: 0, ...size })
    .removeAlpha()
    .raw()
    .toBuffer();
  const plane = size.width * size.height;
  const data = new Float32Array(3 * plane);
  for (let at = 0; at < data.length; at += 1) data[at] = pixels[(at % plane) * 3 + Math.floor(at / plane)] / 255;
  const graph = model.instantiate(size);
  const { outputs } = await withResource(await openOnnxRuntimeEngine(), async (engine) => {
    const program = await engine.compile(graph, { label: "the first tile" });
    return program.run({ [program.inputs[0]]: { type: "float32", shape: [1, 3, size.height, size.width], data } });
  });
  const ours = [...Object.values(outputs)[0].data];
  const largest = Math.max(...ours.map(Math.abs));
  const same = ours.every((value, index) => Math.abs(value - theirs[index]) < 1e-4 * largest);
  if (!same) throw new Error(`The networks differ: class scores ${ours.join(", ")}, PyTorch's ${theirs.join(", ")}.`);
}

async function whatIsMissing(python) {
  try {
    await promisify(execFile)(python, ["-c", "import torch, numpy, pytorch_grad_cam"]);
    return undefined;
  } catch (error) {
    const last = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    return `${python} has no PyTorch with pytorch-grad-cam (${last}). Install torch and grad-cam, or set SLIDELIGHT_PYTHON to a Python that has them.`;
  }
}

/** Writes the network's weights and the image's pixels; gives the line that tells Python of them. */
async function prepare({ folder, image }) {
  const weights = join(folder, "weights.f32");
  const pixels = join(folder, "pixels.rgb");
  const tensors = Object.entries(parameters);
  await writeFile(weights, Buffer.concat(tensors.map(([, { data }]) => Buffer.from(data.buffer))));
  await writeFile(pixels, await sharp(image.path, { limitInputPixels: false }).removeAlpha().raw().toBuffer());
  return JSON.stringify({
    weights,
    layout: tensors.map(([name, { shape }]) => ({ name, shape })),
    image: pixels,
    width: image.width,
    height: image.height,
    tile,
    depth: settings.depth,
  });
}

async function startPython(python, setup) {
  const child = spawn(python, [fileURLToPath(new URL("pytorch.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let fault;
  const ask = async (text, limitMs) => {
    if (fault !== undefined) return { error: fault };
    const timer =
      limitMs === undefined
        ? undefined
        : setTimeout(() => {
            fault = `took more than ${limitMs / 60_000} minutes`;
            child.kill("SIGKILL");
          }, limitMs);
    child.stdin.write(`${text}\n`);
    const { value, done } = await lines.next();
    clearTimeout(timer);
    if (done !== true) return JSON.parse(value);
    fault ??= "its process ended early, its messages are above";
    return { error: fault };
  };
  child.stdin.on("error", () => undefined);
  const greeting = await ask(setup);
  if (greeting.error !== undefined) throw new Error(`Starting PyTorch: ${greeting.error}.`);
  return {
    greeting,
    ask,
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

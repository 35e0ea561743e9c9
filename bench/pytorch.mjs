import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { chooseEngine, openFinisher, openProgramCache } from "../packages/core/dist/index.js";
import { explain } from "./explain.mjs";
import { median, megapixels, printTable, withResource } from "./measure.mjs";
import { hasCuda, keepingMemory, prepare, startPython, whatIsMissing } from "./python.mjs";
import { generatedSlide, model, networkOf } from "./subjects.mjs";

/** Of PyTorch's tiles. */
const tiles = { cpu: 1024, cuda: 2048 };

/** What Slidelight does end to end, from the file to the committed map; `narrow` is the engine's precision below float32. */
const ours = (narrow) => ({
  "Grad-CAM float32": { method: "grad-cam", precision: "float32" },
  [`Grad-CAM ${narrow}`]: { method: "grad-cam", precision: narrow },
  "saliency float32": { method: "saliency", target: "1", precision: "float32" },
  [`saliency ${narrow}`]: { method: "saliency", target: "1", precision: narrow },
});

/** What PyTorch does, from pixels in memory, in tiles without a halo, which is less work. */
const theirs = (narrow, device) => ({
  "forward float32": ["forward", "forward channels last", "forward channels last compiled"],
  [`forward ${narrow}`]: [`forward channels last ${narrow}`, `forward channels last ${narrow} compiled`],
  "pytorch-grad-cam as ordinarily run": ["grad-cam"],
  "pytorch-grad-cam at its best": ["grad-cam", "grad-cam channels last", "grad-cam channels last compiled"],
  "gradient float32": ["gradient", "gradient channels last", "gradient channels last compiled"],
  [`gradient ${narrow}`]: [`gradient channels last ${narrow}`, `gradient channels last ${narrow} compiled`],
  ...(device === "cpu" ? memoryKept(narrow) : {}),
});

/** What PyTorch does where its memory is kept for it, which is not how it is run ordinarily: for comparison, not a goal. */
const memoryKept = (narrow) => ({
  "forward float32, memory kept": ["forward channels last, memory kept"],
  [`forward ${narrow}, memory kept`]: [`forward channels last ${narrow}, memory kept`],
  "pytorch-grad-cam, memory kept": ["grad-cam channels last, memory kept"],
  "gradient float32, memory kept": ["gradient channels last, memory kept"],
  [`gradient ${narrow}, memory kept`]: [`gradient channels last ${narrow}, memory kept`],
});

/** Ours over the best of theirs. */
const goals = (narrow) => [
  { ours: "Grad-CAM float32", theirs: ["forward float32"], goal: 1 },
  { ours: `Grad-CAM ${narrow}`, theirs: ["forward float32", `forward ${narrow}`], goal: 1 },
  { ours: "Grad-CAM float32", theirs: ["pytorch-grad-cam as ordinarily run"], goal: 4 },
  { ours: "Grad-CAM float32", theirs: ["pytorch-grad-cam at its best"], goal: 2 },
  { ours: `Grad-CAM ${narrow}`, theirs: ["pytorch-grad-cam at its best"], goal: 7 },
  { ours: "saliency float32", theirs: ["gradient float32"], goal: 1.2 },
  { ours: `saliency ${narrow}`, theirs: ["gradient float32", `gradient ${narrow}`], goal: 1.4 },
  { ours: "Grad-CAM float32", theirs: ["pytorch-grad-cam, memory kept"] },
  { ours: "Grad-CAM float32", theirs: ["forward float32, memory kept"] },
  { ours: `Grad-CAM ${narrow}`, theirs: [`forward ${narrow}, memory kept`] },
  { ours: "saliency float32", theirs: ["gradient float32, memory kept"] },
  { ours: `saliency ${narrow}`, theirs: [`gradient ${narrow}, memory kept`] },
];

const compileLimitMs = 300_000;

/**
 * The same network and image in PyTorch and pytorch-grad-cam, in turns with ours: Grad-CAM on the last decoder layer and the
 * gradient to the input, eager and compiled, NCHW and channels last, float32 and bfloat16. Ours is end to end with the
 * engine that `auto` takes.
 */
export async function benchPytorch({ rounds, side }) {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    process.stdout.write(`\nPyTorch is left out: ${missing}\n`);
    return { skipped: missing };
  }
  const image = await generatedSlide(side);
  const engine = await chooseEngine();
  const narrow = engine.precisions.find((precision) => precision !== "float32") ?? "bfloat16";
  const device = engine.provider === "cuda" && (await hasCuda()) ? "cuda" : "cpu";
  const groups = theirs(narrow, device);
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-"));
  try {
    const setup = await prepare(folder, {
      network: networkOf(16),
      pixels: await sharp(image.path, { limitInputPixels: false }).removeAlpha().raw().toBuffer(),
      width: image.width,
      height: image.height,
      tile: tiles[device],
      device,
    });
    const eager = await startPython(setup);
    await expectSameNetwork(image, { engine, tile: tiles[device], theirs: (await eager.ask("logits")).logits });
    // In a process of its own: compiling takes minutes, and does not succeed everywhere.
    const compiled = await startPython(setup);
    const keeping = await startPython(setup, { environment: keepingMemory });
    const processOf = (variant) =>
      variant.endsWith("compiled") ? compiled : variant.endsWith("memory kept") ? keeping : eager;
    const shared = { engine, programs: openProgramCache(engine), finisher: openFinisher() };
    const errors = new Map();
    const runners = new Map();
    for (const [name, settings] of Object.entries(ours(narrow))) {
      if (!engine.precisions.includes(settings.precision))
        errors.set(name, `${engine.name} has no ${settings.precision}`);
      else runners.set(name, () => explainWarm(image, shared, settings));
    }
    for (const variant of new Set(Object.values(groups).flat())) {
      runners.set(variant, () => processOf(variant).ask(variant.replace(",", ""), compileLimitMs));
    }
    const seconds = new Map();
    // Round 0 warms up: compiling and first touches of memory are not what is compared.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, take] of runners) {
        const reply = await take();
        if (reply.error !== undefined) {
          errors.set(name, reply.error);
          runners.delete(name);
        } else if (round > 0) seconds.set(name, [...(seconds.get(name) ?? []), reply.seconds]);
      }
    }
    const pixels = megapixels(image);
    const speed = (name) => (seconds.has(name) ? pixels / median(seconds.get(name)) : undefined);
    const ratios = [];
    for (const { ours: own, theirs: names, goal } of goals(narrow)) {
      if (names.some((group) => groups[group] === undefined)) continue;
      const variants = names.flatMap((group) => groups[group]).filter((name) => seconds.has(name));
      const best = variants.toSorted((a, b) => speed(b) - speed(a))[0];
      const known = seconds.has(own) && best !== undefined ? speed(own) / speed(best) : undefined;
      const isClose = goal !== undefined && known !== undefined && Math.abs(known / goal - 1) < closeToGoal;
      const paired = isClose ? await ratioInPairs(runners.get(own), runners.get(best)) : undefined;
      ratios.push({ ours: own, over: names.join(" or "), "its best": best, ratio: known, "in pairs": paired, goal });
    }
    await shared.finisher[Symbol.asyncDispose]();
    await shared.programs[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await eager.close();
    await compiled.close();
    await keeping.close();

    const rows = [...runners.keys()].map((name) => ({
      what: name,
      "MP/s": speed(name),
      rounds: seconds.get(name)?.length,
    }));
    const { greeting } = eager;
    printTable(
      `End to end with ${engine.name} ${engine.provider}, beside PyTorch ${greeting.torch} on ${device === "cpu" ? `${greeting.threads} threads` : greeting.device}, ${image.width}x${image.height}`,
      rows,
    );
    printTable("Ours over theirs", ratios);
    for (const [name, error] of errors) process.stdout.write(`  ${name} does not run here: ${error}\n`);
    return { rows, ratios, errors: Object.fromEntries(errors), versions: greeting };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Share of a goal within which one round does not settle whether it is reached. */
const closeToGoal = 0.25;
const pairs = 3;

/**
 * Ours over theirs, each pair one after the other: a shared machine is a tenth or two faster or slower some minutes later, when a round
 * comes to theirs.
 */
async function ratioInPairs(own, other) {
  const ratios = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    const { seconds } = await own();
    ratios.push((await other()).seconds / seconds);
  }
  return median(ratios);
}

/** Of other images with the same settings, before the one that is timed. */
const before = 2;

/** As in a worker that goes on with the same settings: other settings' programs have taken the memory in between. */
async function explainWarm(image, shared, settings) {
  for (let count = 0; count < before; count += 1) await explain(image, shared, settings);
  return explain(image, shared, settings);
}

/** @throws {Error} when PyTorch's class scores of the first tile are not ours. */
async function expectSameNetwork(image, { engine, tile, theirs }) {
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
  const { outputs } = await withResource(await engine.compile(graph, { label: "the first tile" }), (program) =>
    program.run({ [program.inputs[0]]: { type: "float32", shape: [1, 3, size.height, size.width], data } }),
  );
  const ours = [...Object.values(outputs)[0].data];
  const largest = Math.max(...ours.map(Math.abs));
  const same = ours.every((value, index) => Math.abs(value - theirs[index]) < 1e-4 * largest);
  if (!same) throw new Error(`The networks differ: class scores ${ours.join(", ")}, PyTorch's ${theirs.join(", ")}.`);
}

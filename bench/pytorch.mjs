import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { explain, sharedParts } from "./explain.mjs";
import { median, megapixels, printTable, takeTurns, withResource, withResources } from "./measure.mjs";
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
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-"));
  try {
    return await withResources(sharedParts, (shared) => besidePytorch(image, { rounds, shared, folder }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function besidePytorch(image, { rounds, shared, folder }) {
  const { engine } = shared;
  const narrow = engine.precisions.find((precision) => precision !== "float32") ?? "bfloat16";
  const device = engine.provider === "cuda" && (await hasCuda()) ? "cuda" : "cpu";
  const groups = theirs(narrow, device);
  const setup = await prepare(folder, {
    network: networkOf(16),
    pixels: await sharp(image.path, { limitInputPixels: false }).removeAlpha().raw().toBuffer(),
    width: image.width,
    height: image.height,
    tile: tiles[device],
    device,
  });
  return withResources(processes(setup), async (pytorch) => {
    const { logits } = await pytorch.eager.ask("logits");
    await expectSameNetwork(image, { engine, tile: tiles[device], theirs: logits });
    const runners = new Map([...oursOf(image, shared, narrow), ...theirsOf(pytorch, groups)]);
    const taken = await takeTurns(runners, rounds);
    const pixels = megapixels(image);
    const rows = [...taken.seconds].map(([what, seconds]) => ({
      what,
      "MP/s": pixels / median(seconds),
      rounds: seconds.length,
    }));
    const ratios = await ratiosOf(goals(narrow), { groups, runners, seconds: taken.seconds });
    const { greeting } = pytorch.eager;
    const on = device === "cpu" ? `${greeting.threads} threads` : greeting.device;
    printTable(
      `End to end with ${engine.name} ${engine.provider}, beside PyTorch ${greeting.torch} on ${on}, ${image.width}x${image.height}`,
      rows,
    );
    printTable("Ours over theirs", ratios);
    for (const [name, error] of taken.errors) process.stdout.write(`  ${name} does not run here: ${error}\n`);
    return { rows, ratios, errors: Object.fromEntries(taken.errors), versions: greeting };
  });
}

/** PyTorch's processes. Compiling has its own: it takes minutes, and does not succeed everywhere. */
const processes = (setup) => ({
  eager: () => startPython(setup),
  compiled: () => startPython(setup),
  keeping: () => startPython(setup, { environment: keepingMemory }),
});

function processOf({ eager, compiled, keeping }, variant) {
  if (variant.endsWith("compiled")) return compiled;
  return variant.endsWith("memory kept") ? keeping : eager;
}

/** By name, what is timed of ours. */
function oursOf(image, shared, narrow) {
  return Object.entries(ours(narrow)).map(([name, settings]) => [
    name,
    async () =>
      shared.engine.precisions.includes(settings.precision)
        ? explainWarm(image, shared, settings)
        : { error: `${shared.engine.name} has no ${settings.precision}` },
  ]);
}

/** By name, what is timed of PyTorch's. */
function theirsOf(pytorch, groups) {
  return [...new Set(Object.values(groups).flat())].map((variant) => [
    variant,
    () => processOf(pytorch, variant).ask(variant.replace(",", ""), compileLimitMs),
  ]);
}

/** How ours compares with the best of theirs, goal by goal; one that is near its goal is measured again in pairs. */
async function ratiosOf(wanted, { groups, runners, seconds }) {
  const ratios = [];
  for (const { ours: own, theirs: names, goal } of wanted) {
    if (names.some((group) => groups[group] === undefined)) continue;
    const timed = names.flatMap((group) => groups[group]).filter((name) => seconds.has(name));
    const [best] = timed.toSorted((a, b) => median(seconds.get(a)) - median(seconds.get(b)));
    const isKnown = seconds.has(own) && best !== undefined;
    const ratio = isKnown ? median(seconds.get(best)) / median(seconds.get(own)) : undefined;
    const isClose = isKnown && goal !== undefined && Math.abs(ratio / goal - 1) < closeToGoal;
    const paired = isClose ? await ratioInPairs(runners.get(own), runners.get(best)) : undefined;
    ratios.push({ ours: own, over: names.join(" or "), "its best": best, ratio, "in pairs": paired, goal });
  }
  return ratios;
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

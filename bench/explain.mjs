import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  chooseEngine,
  explainImage,
  openFinisher,
  openProgramCache,
  openReaders,
  openSpeedMeter,
  openStore,
} from "../packages/core/dist/index.js";
import { median, megapixels, peakGigabytes, printTable, timed, withResource } from "./measure.mjs";
import { generatedSlide, model, realSlide } from "./subjects.mjs";

/** What is aimed at: end to end over the bare engine. */
const goal = 0.85;

/**
 * Megapixels a second of explaining an image, from its file to the committed map, beside the bare engine that runs the
 * same programs on the same number of tiles of the same sizes, with inputs from memory and results thrown away.
 */
export async function benchExplain({ rounds, side }) {
  const images = [await realSlide(), await generatedSlide(side)].filter((image) => image !== undefined);
  const rows = [];
  for (const image of images) {
    const seconds = { explain: [], bare: [], busy: [] };
    let tiles = 0;
    for (let round = 0; round < rounds; round += 1) {
      const explained = await explain(image);
      const bare = await replay(explained.calls);
      seconds.explain.push(explained.seconds);
      seconds.busy.push(explained.busySeconds);
      seconds.bare.push(bare);
      tiles = explained.calls.filter(({ kind }) => kind === "run").length;
    }
    const pixels = megapixels(image);
    rows.push({
      image: image.name,
      size: `${image.width}x${image.height}`,
      tiles,
      "explain MP/s": pixels / median(seconds.explain),
      "bare engine MP/s": pixels / median(seconds.bare),
      ratio: median(seconds.explain.map((value, round) => seconds.bare[round] / value)),
      "engine busy": median(seconds.explain.map((value, round) => seconds.busy[round] / value)),
    });
  }
  printTable(`Explaining end to end: Grad-CAM, base-16 depth-4 U-Net (goal: ratio >= ${goal})`, rows);
  return { goal, peakGigabytes: peakGigabytes(), rows };
}

/** What images have in common in a worker that runs for a while: for `withResources`. */
export const sharedParts = {
  engine: () => chooseEngine(),
  programs: ({ engine }) => openProgramCache(engine),
  finisher: () => openFinisher(),
  readers: () => openReaders(),
  speeds: () => openSpeedMeter(),
};

/**
 * Explains the image once, in a store of its own; notes every call of the engine. With `shared`, what was opened of
 * `sharedParts` and used before, as in a worker that has been running for a while. A lower precision is used whatever its error.
 * `watch` is told of every event.
 */
export async function explain(image, shared, options = {}) {
  const { method = "grad-cam", target = "top1", precision = "float32", watch = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), "slidelight-bench-"));
  const calls = [];
  let busySeconds = 0;
  const observe = (event) => {
    if (event.kind === "tile-done" || event.kind === "probe-done") busySeconds += event.busySeconds;
    watch(event);
  };
  const work = (engine) =>
    explainImage(
      image,
      { methods: [method], targets: [target], tissue: "off", precision, maxError: 1e9 },
      {
        engine: shared === undefined ? recorded(engine, calls) : engine,
        programs: shared?.programs,
        finisher: shared?.finisher,
        readers: shared?.readers,
        speeds: shared?.speeds,
        model,
        output: openStore(join(folder, "out")),
        scratch: join(folder, "scratch"),
        observe,
      },
    );
  try {
    const { seconds } =
      shared === undefined
        ? await withResource(await chooseEngine(), (engine) => timed(() => work(engine)))
        : await timed(() => work(shared.engine));
    return { seconds, busySeconds, calls };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same engine, which notes what it is asked: compilations, and runs with the types and shapes of their inputs. */
function recorded(engine, calls) {
  return {
    ...engine,
    compile: async (graph, options) => {
      const program = await engine.compile(graph, options);
      const id = Symbol(options?.label);
      calls.push({ kind: "compile", id, graph, options });
      return {
        inputs: program.inputs,
        run: (inputs, abortable) => {
          const shapes = Object.entries(inputs).map(([name, { type, shape, data }]) => ({
            name,
            type,
            shape,
            make: data.constructor,
            length: data.length,
          }));
          calls.push({ kind: "run", id, shapes });
          return program.run(inputs, abortable);
        },
        [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Seconds that the engine alone takes for those calls; two runs are always asked for, so that it never waits. */
async function replay(calls) {
  const work = async (engine) => {
    const programs = new Map();
    const running = [];
    for (const call of calls) {
      if (call.kind === "compile") programs.set(call.id, await engine.compile(call.graph, call.options));
      else {
        const inputs = call.shapes.map(({ name, type, shape, make, length }) => [
          name,
          { type, shape, data: new make(length) },
        ]);
        running.push(programs.get(call.id).run(Object.fromEntries(inputs)));
        if (running.length > 2) await running.shift();
      }
    }
    await Promise.all(running);
  };
  const { seconds } = await withResource(await chooseEngine(), (engine) => timed(() => work(engine)));
  return seconds;
}

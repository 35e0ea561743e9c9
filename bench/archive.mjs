import { explainInFlight } from "../apps/worker/dist/in-flight.js";
import { chooseEngine, openEngine, openProgramCache, openReaders } from "../packages/core/dist/index.js";
import { explain, sharedParts } from "./explain.mjs";
import { megapixels, median, printTable, timed, withResource, withResources } from "./measure.mjs";
import { generatedSlide, mixedSlides } from "./subjects.mjs";
import { asAccelerator, openWaitingEngine } from "./waiting-engine.mjs";

/** What is aimed at: share of the time that the engine computes. */
const goal = 0.95;
const sides = [2048, 4096];
/** One after the other: as many as tell how long one takes. */
const mostAlone = 8;

/**
 * Share of the time that the engine is busy over a row of slides, one after the other, and with as many in flight as `slidelight explain`
 * has: from the first file that is opened to the last map that is committed. Warm, as in a worker that has been running for a while. The last
 * map is written while nothing computes: of a fast engine, many slides tell what a long list takes. With `mixed`, no two slides have one size,
 * and beside them are those that do. `engines`: each "engine/provider"; else what `--engine auto` takes. "waiting/38" is one that takes no core, and
 * 38 megapixels a second: what two cores are to it, sixteen are to a GPU of 304.
 */
export async function benchArchive({ rounds, side, slides, mixed, engines }) {
  const sizes = side === undefined ? sides : [side];
  const openers = engines?.map(openersOf) ?? [{ engine: () => chooseEngine() }];
  const rows = [];
  for (const opener of openers) {
    await withResources({ ...sharedParts, ...opener }, async (shared) => {
      for (const precision of shared.engine.precisions) {
        for (const extent of sizes) rows.push(...(await rowsOf(extent, { precision, shared, rounds, slides, mixed })));
      }
    });
  }
  printTable(`A list of slides, Grad-CAM, base-16 depth-4 U-Net (goal in flight: busy >= ${goal})`, rows);
  return { goal, rows };
}

function openersOf(name) {
  const [engine, provider] = name.split("/");
  if (engine === "waiting") {
    const speed = { pixelsPerSecond: Number(provider) * 1e6, writesMaps: false };
    return {
      engine: () => ({ ...openWaitingEngine(speed), ...asAccelerator }),
      readers: () => openReaders({ threads: 1 }),
    };
  }
  return { engine: () => openEngine(provider === undefined ? { engine } : { engine, provider }) };
}

/** Slides around one size, alone and in flight. */
async function rowsOf(extent, { precision, shared, rounds, slides, mixed }) {
  const image = await generatedSlide(extent);
  const alike = Array.from({ length: slides }, () => image);
  const ways = [
    { how: "alone", inTurn: oneByOne, images: alike.slice(0, mostAlone) },
    { how: "in flight", inTurn: explainInFlight, images: alike },
    ...(mixed
      ? [{ how: "in flight, sizes mixed", inTurn: explainInFlight, images: await mixedSlides(extent, slides) }]
      : []),
  ].map((way) => ({ ...way, taken: [] }));
  for (let round = 0; round < rounds; round += 1) {
    for (const { inTurn, images, taken } of ways) {
      // Of its own, so that no list finds the programs of another one, nor pays for their memory.
      await withResource(openProgramCache(shared.engine), async (programs) => {
        const parts = { ...shared, programs };
        // Twice: programs that only one image wanted don't stay.
        await explained([image, image], { precision, shared: parts, inTurn: oneByOne });
        taken.push(await explained(images, { precision, shared: parts, inTurn }));
      });
    }
  }
  const { name, provider } = shared.engine;
  return ways.map(({ how, images, taken }) => ({
    engine: `${name} ${provider}`,
    precision,
    size: `${extent}x${extent}`,
    slides: images.length,
    how,
    "MP/s": images.reduce((sum, each) => sum + megapixels(each), 0) / median(taken.map((run) => run.seconds)),
    busy: median(taken.map((run) => run.busySeconds / run.seconds)),
    "s a slide to assemble": median(taken.map((run) => run.assemblingSeconds)) / images.length,
  }));
}

/** Each is explained anew, also where it is the same slide. */
async function explained(images, { precision, shared, inTurn }) {
  let busySeconds = 0;
  let assemblingSeconds = 0;
  const { seconds } = await timed(() =>
    inTurn(entries(images), {
      progress: () => undefined,
      start: async (entry, { observe }) => {
        const watch = (event) => {
          if (event.kind === "stage-done" && event.stage === "assemble") assemblingSeconds += event.seconds;
          observe(event);
        };
        const taken = await explain(entry, shared, { precision, watch });
        busySeconds += taken.busySeconds;
      },
    }),
  );
  return { seconds, busySeconds, assemblingSeconds };
}

async function* entries(images) {
  yield* images;
}

async function oneByOne(images, { start }) {
  for await (const image of images) await start(image, { observe: () => undefined });
}

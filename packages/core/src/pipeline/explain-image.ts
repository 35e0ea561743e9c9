import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { classNames } from "../explain/classes.ts";
import type { Explanation, StatisticTable } from "../explain/explanation.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import { parseTarget } from "../explain/target.ts";
import type { Target } from "../explain/target.ts";
import type { ImageLevel, ImageLimits, SlideImage } from "../format/image.ts";
import { openImage } from "../format/images/open-image.ts";
import { levelForResolution } from "../format/images/choose-level.ts";
import { thumbnail } from "../format/images/thumbnail.ts";
import { commitRun, describeOutputs, readManifest } from "../format/output/commit.ts";
import { openTileScratch } from "../format/output/tile-scratch.ts";
import { openThumbnail } from "../format/output/thumbnail.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { tileCount } from "../geometry/tile-grid.ts";
import type { Abortable, ByteSource } from "../io/byte-source.ts";
import { observed } from "../io/observed.ts";
import type { ObjectStore } from "../io/object-store.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";
import type { Network, Triple } from "../model/network.ts";
import { chooseTileGrid } from "./choose-tile.ts";
import type { Observe, PipelineEvent, Stage } from "./events.ts";
import { openProgramCache } from "./program-cache.ts";
import type { ProgramCache } from "./program-cache.ts";
import { runId } from "./run-id.ts";
import { runSweep } from "./run-sweep.ts";
import type { MapRanges, SweepRun } from "./run-sweep.ts";
import type { ExplanationResult, ExplanationSettings } from "./settings.ts";
import { tissueTiles, wholeImage } from "./tissue.ts";
import type { TissueMask } from "./tissue.ts";
import { manifestOf } from "./manifest-of.ts";
import { writeResults } from "./write-results.ts";
import type { FinishedRun } from "./write-results.ts";

/** What explaining an image needs besides the image; shared by all images of a process. */
export interface ExplanationResources {
  readonly engine: Engine;
  /** Compiled programs of the same engine, when they should outlive one image. */
  readonly programs?: ProgramCache;
  readonly model: Model;
  readonly output: ObjectStore;
  /** Folder for scratch files; each run makes and removes its own folder inside. */
  readonly scratch: string;
  readonly limits?: ImageLimits;
  /** Bytes that one tile may take in the engine; the tile size follows from it. */
  readonly memoryBytes?: number;
  readonly observe?: Observe;
}

/** An image and the key under which its outputs go. */
export interface ImageReference {
  /** As the user gave it: a path or `s3://bucket/key`. */
  readonly uri: string;
  readonly key: string;
  /** Opens the image's bytes; the pipeline disposes of them. */
  open(options: Abortable): Promise<ByteSource>;
}

/** Longest side of the picture that a preview is made of. */
const thumbnailSide = 1000;
/** Below this many pixels no tile is left out: tissue detection is for slides, which are mostly glass. */
const tissuePixels = 64_000_000;

/**
 * Explains one image: one result for each method and target, in that order. A result whose manifest is there already is
 * skipped.
 * @throws {SlidelightError} For the image, the model, the target, the engine or the store; nothing half-written is
 * visible then. The signal's reason when it is aborted.
 */
export async function explainImage(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  options: Abortable = {},
): Promise<readonly ExplanationResult[]> {
  const observe = resources.observe ?? ((): void => undefined);
  const timed = stopwatch(observe);
  await using slide = await timed("open", async () => {
    const source = observed(await image.open(options), (bytes) => observe({ kind: "bytes-read", bytes }));
    return openImage(image.uri, source, {
      scratch: resources.scratch,
      signal: options.signal,
      ...(resources.limits === undefined ? {} : { limits: resources.limits }),
    });
  });
  await using ownPrograms = resources.programs === undefined ? openProgramCache(resources.engine) : undefined;
  const programs = resources.programs ?? ownPrograms;
  if (programs === undefined) throw new RangeError("A program cache was just opened.");
  const level = chooseLevel(slide, settings);
  const mean = settings.mean ?? resources.model.mean ?? ([0, 0, 0] as const);
  const std = settings.std ?? resources.model.std ?? ([1, 1, 1] as const);
  const network = networkFor(resources.model, level, { samples: slide.samples, mean, std });
  const results: ExplanationResult[] = [];
  for (const method of settings.methods) {
    for (const target of settings.targets) {
      const work: Work = {
        image,
        settings,
        resources,
        slide,
        level,
        network,
        mean,
        std,
        method,
        target,
        programs,
        observe,
      };
      results.push(await explainOne(work, options));
    }
  }
  return results;
}

/** One image, method and target, with all that they need. */
export interface Work {
  readonly image: ImageReference;
  readonly settings: ExplanationSettings;
  readonly resources: ExplanationResources;
  readonly slide: SlideImage;
  readonly level: ImageLevel;
  readonly network: Network;
  readonly mean: Triple;
  readonly std: Triple;
  readonly method: MethodName;
  /** As the user gave it. */
  readonly target: string;
  readonly programs: ProgramCache;
  readonly observe: Observe;
}

async function explainOne(work: Work, { signal }: Abortable): Promise<ExplanationResult> {
  const { settings, resources, slide, level, network, method } = work;
  const startedAt = new Date();
  const { observe, seconds } = summed(work.observe);
  const timed = stopwatch(observe);
  const classes = classNames(network.head.classes, resources.model.classes);
  const target = parseTarget(work.target, classes);
  const id = runId({
    image: slide,
    model: resources.model.sha256,
    method,
    target: work.target,
    layer: settings.layer,
    level: level.index,
    tissue: settings.tissue,
    raw: settings.raw,
    mean: work.mean,
    std: work.std,
  });
  const key = `${work.image.key}/${id}`;
  const output = `${resources.output.uri}/${key}`;
  const known = await readManifest(resources.output, key);
  if (known !== undefined) return { status: "skipped", runId: id, method, target: known.target, output };

  const { explanation, grid, tissue } = await planRun(work, target, classes);
  observe({
    kind: "image-planned",
    tiles: tissue.tiles.length,
    sweeps: explanation.sweeps.length,
    pixels: level.width * level.height,
  });
  await mkdir(resources.scratch, { recursive: true });
  const folder = await mkdtemp(join(resources.scratch, "run-"));
  try {
    const scratch = await openTileScratch(join(folder, "tiles"));
    const canvas = openThumbnail(level, { maxSide: thumbnailSide, alignment: alignmentOf(grid) });
    let statistics: StatisticTable = new Map();
    let ranges: MapRanges = new Map();
    for (let index = 0; index < explanation.sweeps.length; index += 1) {
      const sweep: SweepRun = {
        explanation,
        index,
        grid,
        tissue,
        samples: settings.raw === undefined ? "uint16" : "float32",
        programs: work.programs,
        programKey: programKeyOf(work, tissue),
        observe,
        signal,
        read: (rectangle, abortable) => slide.read(level.index, rectangle, abortable),
        store: (tile, map, values, core) => timed("scratch", () => scratch.put(map, tile, core, values)),
        // The picture is made in the first sweep.
        ...(index === 0 ? { see: canvas.add } : {}),
      };
      ({ statistics, ranges } = await runSweep(sweep, statistics));
    }
    const outcome = explanation.outcome(statistics);
    const scale = ranges.get(outcome.map);
    if (scale === undefined) throw new RangeError(`No tile of the map "${outcome.map}" was computed.`);

    const results = join(folder, "results");
    const run: FinishedRun = { ...work, id, classes, explanation, grid, tissue, outcome, scale };
    await timed("assemble", () =>
      writeResults(
        run,
        { folder: results, tiles: scratch.tilesOf(outcome.map), thumbnail: canvas.finish() },
        { signal },
      ),
    );
    const manifest = manifestOf(run, {
      outputs: await describeOutputs(results),
      startedAt,
      seconds: { ...seconds, total: (Date.now() - startedAt.getTime()) / 1000 },
    });
    await timed("commit", () => commitRun({ store: resources.output, key, folder: results, manifest, signal }));
    for (const { bytes } of manifest.outputs) observe({ kind: "bytes-written", bytes });
    return { status: "done", runId: id, method, target: outcome.target.label, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface RunPlan {
  readonly explanation: Explanation;
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
}

async function planRun(work: Work, target: Target, classes: readonly string[]): Promise<RunPlan> {
  const { settings, resources, network, method } = work;
  const options = { method, target, classes, ...(settings.layer === undefined ? {} : { layer: settings.layer }) };
  const whole = planExplanation(network, options);
  const grid = chooseTileGrid(whole, {
    ...(settings.tile === undefined ? {} : { tile: settings.tile }),
    ...(resources.memoryBytes === undefined ? {} : { memoryBytes: resources.memoryBytes }),
  });
  const tissue = await chooseTissue(work, grid);
  const explanation = tissue.complete ? whole : planExplanation(network, { ...options, keptCells: tissue.cells });
  return { explanation, grid, tissue };
}

function chooseLevel(slide: SlideImage, settings: ExplanationSettings): ImageLevel {
  const index =
    settings.micronsPerPixel === undefined
      ? (settings.level ?? 0)
      : levelForResolution(slide, settings.micronsPerPixel);
  const level = slide.levels[index];
  if (level !== undefined) return level;
  throw new SlidelightError(
    "usage",
    `Choosing level ${settings.level} of ${slide.uri}: expected 0 to ${slide.levels.length - 1}, the image has ${slide.levels.length} level${slide.levels.length === 1 ? "" : "s"}.`,
  );
}

async function chooseTissue({ settings, slide, level }: Work, grid: TileGrid): Promise<TissueMask> {
  const worthIt = settings.tissue === "auto" && tileCount(grid) > 1 && level.width * level.height > tissuePixels;
  const small = worthIt ? await thumbnail(slide, thumbnailSide) : undefined;
  return small === undefined ? wholeImage(grid) : tissueTiles(small, grid);
}

/** The largest power of two that every core's corner is a multiple of. */
function alignmentOf({ core, columns, rows }: TileGrid): number {
  let alignment = 4096;
  while (
    alignment > 1 &&
    ((columns > 1 && core.width % alignment !== 0) || (rows > 1 && core.height % alignment !== 0))
  ) {
    alignment /= 2;
  }
  return alignment;
}

/** Names everything that a tile's program depends on, besides the sweep and the tile's place. */
function programKeyOf(work: Work, tissue: TissueMask): string {
  const { resources, settings, level, method, target, mean, std, slide } = work;
  const parts = [
    resources.model.sha256,
    level.width,
    level.height,
    slide.samples,
    method,
    target,
    settings.layer ?? "",
  ];
  return [...parts, tissue.complete, mean.join(), std.join()].join("/");
}

type Timed = <T>(stage: Stage, work: () => Promise<T>) => Promise<T>;

function stopwatch(observe: Observe): Timed {
  return async (stage, work) => {
    const started = performance.now();
    const result = await work();
    observe({ kind: "stage-done", stage, seconds: (performance.now() - started) / 1000 });
    return result;
  };
}

/** Adds up what is observed of each stage, for the manifest. */
function summed(observe: Observe): { readonly observe: Observe; readonly seconds: Record<string, number> } {
  const seconds: Record<string, number> = {};
  const add = (name: string, value: number): void => {
    seconds[name] = (seconds[name] ?? 0) + value;
  };
  return {
    seconds,
    observe: (event: PipelineEvent) => {
      if (event.kind === "stage-done") add(event.stage, event.seconds);
      if (event.kind === "tile-done") add("engineBusy", event.busySeconds);
      observe(event);
    },
  };
}

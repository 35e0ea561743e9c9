import { SlidelightError } from "../errors/slidelight-error.ts";
import { classNames } from "../explain/classes.ts";
import type { Explanation } from "../explain/explanation.ts";
import { joinExplanations } from "../explain/join.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import { parseTarget } from "../explain/target.ts";
import type { PlanOptions } from "../explain/draft.ts";
import { thumbnail } from "../format/images/thumbnail.ts";
import { readManifest } from "../format/output/commit.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { tileCount } from "../geometry/tile-grid.ts";
import { rankTileGrids } from "./choose-tile.ts";
import { fastestGrid, worthTryingPixels } from "./fastest-grid.ts";
import type { ImageSweepOptions } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import { runId } from "./run-id.ts";
import { defaultMaxError } from "./settings.ts";
import type { ExplanationResult } from "./settings.ts";
import { tissueTiles, wholeImage } from "./tissue.ts";
import type { TissueMask } from "./tissue.ts";

/** One method and target on an image that is still to be computed. */
export interface PlannedRun {
  readonly method: MethodName;
  /** As the user gave it. */
  readonly target: string;
  readonly id: string;
  /** Where its outputs go, below the store's root. */
  readonly key: string;
  /** The same, to print. */
  readonly output: string;
  readonly classes: readonly string[];
  readonly options: PlanOptions;
  readonly explanation: Explanation;
}

/** For each method and target, in this order, a run or what is known of it already. */
export type RunPlan =
  | { readonly kind: "run"; readonly run: PlannedRun }
  | { readonly kind: "known"; readonly result: ExplanationResult };

/** Longest side of the picture that tissue is looked for in. */
const thumbnailSide = 1000;
/** Below this many pixels no tile is left out: tissue detection is for slides, which are mostly glass. */
const tissuePixels = 64_000_000;

/** What is to be done on an image: results that are there are skipped, what does not suit the model has failed. */
export async function planRuns(work: ImageWork): Promise<readonly RunPlan[]> {
  const plans: RunPlan[] = [];
  for (const method of work.settings.methods) {
    for (const target of work.settings.targets) plans.push(await planRun(work, method, target));
  }
  return plans;
}

async function planRun(work: ImageWork, method: MethodName, text: string): Promise<RunPlan> {
  const { settings, resources, slide, level, network } = work;
  try {
    const classes = classNames(network.head.classes, resources.model.classes);
    const target = parseTarget(text, classes);
    const options = { method, target, classes, ...(settings.layer === undefined ? {} : { layer: settings.layer }) };
    const id = runId({
      image: slide,
      model: resources.model.sha256,
      method,
      target: text,
      layer: settings.layer,
      level: level.index,
      tissue: settings.tissue,
      raw: settings.raw,
      mean: work.mean,
      std: work.std,
      precision: settings.precision ?? "float32",
      maxError: settings.maxError ?? defaultMaxError,
    });
    const key = `${work.image.key}/${id}`;
    const output = `${resources.output.uri}/${key}`;
    const manifest = await readManifest(resources.output, key);
    if (manifest !== undefined) {
      const { target } = manifest;
      return { kind: "known", result: { status: "skipped", runId: id, method, target, output } };
    }
    const explanation = planExplanation(network, options);
    return { kind: "run", run: { method, target: text, id, key, output, classes, options, explanation } };
  } catch (error) {
    if (!(error instanceof SlidelightError)) throw error;
    return { kind: "known", result: { status: "failed", method, target: text, error } };
  }
}

/** Which tiles an image is computed in, and the runs' plans for just these tiles. */
export interface TilePlan {
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
  readonly runs: readonly [PlannedRun, ...PlannedRun[]];
}

/** Grids of which the fastest is found by trying, where the image is large enough. */
const tried = 3;

/** Chooses the tiles: from the runs, the precision, the image and the memory budget, and by trying where it is large. */
export async function planTiles(
  work: ImageWork,
  runs: readonly [PlannedRun, ...PlannedRun[]],
  { precision, signal }: ImageSweepOptions,
): Promise<TilePlan> {
  const { settings, resources, network, level } = work;
  const [first, ...rest] = runs;
  const joint = joinExplanations([first.explanation, ...rest.map(({ explanation }) => explanation)]);
  const options = {
    ...(settings.tile === undefined ? {} : { tile: settings.tile }),
    ...(resources.memoryBytes === undefined ? {} : { memoryBytes: resources.memoryBytes }),
    engine: resources.engine,
    precision,
    compact: tissueMatters(work),
  };
  // Ranking more than is tried would build graphs for nothing.
  const count = level.width * level.height < worthTryingPixels ? 1 : tried;
  const grid = await fastestGrid(work, joint, rankTileGrids(joint, options, count), { precision, signal });
  const tissue = await chooseTissue(work, grid);
  if (tissue.complete) return { grid, tissue, runs };
  const masked = (run: PlannedRun): PlannedRun => {
    return { ...run, explanation: planExplanation(network, { ...run.options, keptCells: tissue.cells }) };
  };
  return { grid, tissue, runs: [masked(first), ...rest.map(masked)] };
}

/** Whether tiles of glass may be left out. */
function tissueMatters({ settings, level }: ImageWork): boolean {
  return settings.tissue === "auto" && level.width * level.height > tissuePixels;
}

async function chooseTissue(work: ImageWork, grid: TileGrid): Promise<TissueMask> {
  const worthIt = tissueMatters(work) && tileCount(grid) > 1;
  const small = worthIt ? await thumbnail(work.slide, thumbnailSide) : undefined;
  return small === undefined ? wholeImage(grid) : tissueTiles(small, grid);
}

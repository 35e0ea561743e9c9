import { planExplanation } from "../explain/plan.ts";
import { thumbnail } from "../format/images/thumbnail.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { tileCount } from "../geometry/tile-grid.ts";
import { rankTileGrids } from "./choose-tile.ts";
import { fastestGrid } from "./fastest-grid.ts";
import type { ImageSweepOptions } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import { jointOf } from "./plan-runs.ts";
import type { PlannedRun, TilePlan } from "./plan-runs.ts";
import { onlyTiles, tissueTiles, wholeImage } from "./tissue.ts";
import type { TissueMask } from "./tissue.ts";

/** Longest side of the picture that tissue is looked for in. */
const thumbnailSide = 1000;
/** Below this many pixels no tile is left out: tissue detection is for slides, which are mostly glass. */
const tissuePixels = 64_000_000;
/** Grids of which the fastest is found by trying, where that is asked for. */
const tried = 3;

/**
 * Chooses the tiles: from the runs, the precision, the image and the memory budget. An estimate decides, not a race: two machines alike
 * choose alike, so that their results are the same to the last byte. `--tile fastest` tries.
 */
export async function planTiles(
  work: ImageWork,
  runs: TilePlan["runs"],
  { precision, signal }: ImageSweepOptions,
): Promise<TilePlan> {
  const { settings, resources } = work;
  const joint = jointOf(runs);
  const options = {
    ...(typeof settings.tile === "number" ? { tile: settings.tile } : {}),
    ...(resources.memoryBytes === undefined ? {} : { memoryBytes: resources.memoryBytes }),
    engine: resources.engine,
    precision,
    compact: tissueMatters(work),
  };
  const count = settings.tile === "fastest" ? tried : 1;
  const grid = await fastestGrid(work, joint, rankTileGrids(joint, options, count), { precision, signal });
  return maskedPlan(work, runs, { grid, tissue: await chooseTissue(work, grid) });
}

/** The tiles that a plan which was made before says. */
export function plannedTiles(
  work: ImageWork,
  runs: TilePlan["runs"],
  { grid, kept }: { readonly grid: TileGrid; readonly kept: readonly number[] },
): TilePlan {
  return maskedPlan(work, runs, { grid, tissue: onlyTiles(grid, kept) });
}

/** Pools of runs that leave tiles out are over the cells that are kept. */
function maskedPlan(
  { network }: ImageWork,
  runs: TilePlan["runs"],
  { grid, tissue }: Pick<TilePlan, "grid" | "tissue">,
): TilePlan {
  if (tissue.complete) return { grid, tissue, runs };
  const masked = (run: PlannedRun): PlannedRun => {
    return { ...run, explanation: planExplanation(network, { ...run.options, keptCells: tissue.cells }) };
  };
  const [first, ...rest] = runs;
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

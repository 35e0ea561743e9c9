import type { JointExplanation } from "../explain/join.ts";
import { planExplanation } from "../explain/plan.ts";
import { thumbnail } from "../format/images/thumbnail.ts";
import type { Size } from "../geometry/rectangle.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { rankTileGrids } from "./tiles/choose-tile.ts";
import { fastestGrid } from "./fastest-grid.ts";
import type { ImageSweepOptions } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import { jointOf } from "./plan-runs.ts";
import type { PlannedRun, TilePlan } from "./plan-runs.ts";
import { tissueBlocks, tissueMask, wholeImage } from "./tiles/tissue.ts";
import type { KeptBlocks } from "./tiles/tissue.ts";

/** Longest side of the picture that tissue is looked for in. */
const thumbnailSide = 1000;
/** Below this many pixels nothing is left out: tissue detection is for slides, which are mostly glass. */
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
  const kept = await chooseTissue(work);
  const options = {
    ...(typeof settings.tile === "number" ? { tile: settings.tile } : {}),
    ...(resources.memoryBytes === undefined ? {} : { memoryBytes: resources.memoryBytes }),
    engine: resources.engine,
    precision,
    kept,
  };
  const count = settings.tile === "fastest" ? tried : 1;
  const planOf = (grid: TileGrid): JointExplanation => maskedPlan(work, runs, { grid, tissue: wholeImage(grid) }).joint;
  const grid = await fastestGrid(work, planOf, rankTileGrids(joint, options, count), { precision, signal });
  return maskedPlan(work, runs, { grid, tissue: kept === undefined ? wholeImage(grid) : tissueMask(grid, kept) });
}

/** The tiles that a plan which was made before says. */
export function plannedTiles(
  work: ImageWork,
  runs: TilePlan["runs"],
  { grid, tissue }: { readonly grid: TileGrid; readonly tissue: KeptBlocks },
): TilePlan {
  return maskedPlan(work, runs, { grid, tissue: tissueMask(grid, tissue) });
}

/**
 * Pools of runs that leave parts of the image out are over the cells that are kept; tiles that see nothing else are computed without masks. Where all tiles are alike, the network is that of the extended image, of which
 * what lies beyond the image is not kept: nothing that the tiles compute then depends on where it ends.
 */
function maskedPlan(
  work: ImageWork,
  runs: TilePlan["runs"],
  { grid, tissue }: Pick<TilePlan, "grid" | "tissue">,
): TilePlan {
  const { image, window } = grid;
  const wholly = window === undefined || isSize(window.extended, image);
  if (tissue.complete && wholly) return { grid, tissue, runs, joint: jointOf(runs) };
  const network = wholly ? work.network : work.networkOf(window.extended);
  const masked = (run: PlannedRun): PlannedRun => {
    const options = { ...run.options, keptCells: tissue.cells, unmasked: true };
    return { ...run, explanation: planExplanation(network, options) };
  };
  const [first, ...rest] = runs;
  const all = [masked(first), ...rest.map(masked)] as const;
  return { grid, tissue, runs: all, joint: jointOf(all) };
}

function isSize(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height;
}

/** The blocks that show tissue, where glass may be left out; before the tiles are chosen, on which it does not depend. */
async function chooseTissue({ settings, slide, level }: ImageWork): Promise<KeptBlocks | undefined> {
  if (settings.tissue !== "auto" || level.width * level.height <= tissuePixels) return undefined;
  const small = await thumbnail(slide, thumbnailSide);
  return small === undefined ? undefined : tissueBlocks(small, { width: level.width, height: level.height });
}

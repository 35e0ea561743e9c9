import type { SweepPlan } from "../explain/explanation.ts";
import { coreOf, middleTile } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { imageSweep } from "./image-sweep.ts";
import type { ImageSweepOptions } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import { openProgramCache } from "./program-cache.ts";
import { sweepTiles } from "./sweep-tiles.ts";
import type { TileSweep } from "./sweep-tiles.ts";
import { wholeImage } from "./tiles/tissue.ts";

/**
 * Computes a tile from the image's middle in each grid, twice: the first run touches fresh memory, as few tiles of a large
 * image do. The grid with the most pixels a second wins; a single one is not tried.
 */
export async function fastestGrid(
  work: ImageWork,
  planOf: (grid: TileGrid) => SweepPlan,
  grids: readonly TileGrid[],
  options: ImageSweepOptions,
): Promise<TileGrid> {
  const [first, ...others] = grids;
  if (first === undefined) throw new RangeError("There is no grid to choose from.");
  if (others.length === 0) return first;
  const { resources, observe } = work;
  const sweep = imageSweep(work, options);
  // The losers' programs must not stay.
  await using programs = openProgramCache(resources.engine);
  const secondsPerPixel = async (grid: TileGrid): Promise<number> => {
    const middle = middleTile(grid);
    const { width, height } = coreOf(grid, middle);
    let seconds = Infinity;
    for (let round = 0; round < 2; round += 1) {
      const trial: TileSweep = {
        ...sweep,
        plan: planOf(grid),
        index: 0,
        grid,
        // As a tile of which nothing is left out.
        tissue: wholeImage(grid),
        tiles: [middle],
        programs,
        programKey: `${grid.core.width}x${grid.core.height}`,
        observe: (event) => {
          if (event.kind !== "tile-done") return;
          seconds = Math.min(seconds, event.busySeconds);
          observe({ kind: "probe-done", busySeconds: event.busySeconds });
        },
      };
      for await (const _ of sweepTiles(trial, new Map())) continue;
    }
    return seconds / (width * height);
  };
  let best = { grid: first, cost: await secondsPerPixel(first) };
  for (const grid of others) {
    const cost = await secondsPerPixel(grid);
    if (cost < best.cost) best = { grid, cost };
  }
  return best.grid;
}

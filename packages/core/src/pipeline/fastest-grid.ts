import type { Precision } from "../engine/engine.ts";
import type { SweepPlan } from "../explain/explanation.ts";
import { coreOf } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ImageWork } from "./image-work.ts";
import { openProgramCache } from "./program-cache.ts";
import { runSweep } from "./run-sweep.ts";
import { recomputeAbove } from "./tile-memory.ts";
import { onlyTiles } from "./tissue.ts";

export interface FastestGridOptions extends Abortable {
  readonly precision: Precision;
}

/** Below this many pixels the tiles that are computed to find the fastest cost more than they save. */
const worthPixels = 1_000_000_000;

/**
 * Computes a tile from the image's middle in each grid, twice: the first run touches fresh memory, as few tiles of a large
 * image do. The grid with the most pixels a second wins; a small image takes the first.
 */
export async function fastestGrid(
  work: ImageWork,
  plan: SweepPlan,
  grids: readonly TileGrid[],
  { precision, signal }: FastestGridOptions,
): Promise<TileGrid> {
  const [first, ...others] = grids;
  if (first === undefined) throw new RangeError("There is no grid to choose from.");
  if (others.length === 0 || first.image.width * first.image.height < worthPixels) return first;
  const { resources, settings, slide, level, observe } = work;
  // The losers' programs must not stay.
  await using programs = openProgramCache(resources.engine);
  const secondsPerPixel = async (grid: TileGrid): Promise<number> => {
    const middle = Math.floor(grid.rows / 2) * grid.columns + Math.floor(grid.columns / 2);
    const { width, height } = coreOf(grid, middle);
    let seconds = Infinity;
    for (let round = 0; round < 2; round += 1) {
      await runSweep(
        {
          plan,
          index: 0,
          grid,
          tissue: onlyTiles(grid, [middle]),
          precision,
          recomputeAbove: recomputeAbove({ ...resources, precision }),
          samples: settings.raw === undefined ? "uint16" : "float32",
          programs,
          programKey: `${grid.core.width}x${grid.core.height}`,
          observe: (event) => {
            if (event.kind !== "tile-done") return;
            seconds = Math.min(seconds, event.busySeconds);
            observe({ kind: "probe-done", busySeconds: event.busySeconds });
          },
          signal,
          read: (rectangle, abortable) => slide.read(level.index, rectangle, abortable),
          store: () => Promise.resolve(),
        },
        new Map(),
      );
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

import { join } from "node:path";
import type { Precision } from "../engine/engine.ts";
import type { Outcome, StatisticTable } from "../explain/explanation.ts";
import { joinExplanations } from "../explain/join.ts";
import type { Scale } from "../format/output/assemble-map.ts";
import { openTileScratch } from "../format/output/tile-scratch.ts";
import type { ScratchTile } from "../format/output/tile-scratch.ts";
import { openThumbnail } from "../format/output/thumbnail.ts";
import type { WritePreview } from "../format/output/preview.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import { imageSweep } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import type { PlannedRun, TilePlan } from "./plan-runs.ts";
import { runSweep } from "./run-sweep.ts";
import type { MapRanges, SweepRun } from "./run-sweep.ts";
import { stopwatch } from "./stopwatch.ts";

/** A run whose tiles are all computed and rest in the scratch folder. */
export interface ComputedRun {
  readonly run: PlannedRun;
  readonly outcome: Outcome;
  /** Smallest and largest value of its map. */
  readonly scale: Scale;
  readonly tiles: readonly ScratchTile[];
}

export interface ComputedRuns {
  readonly runs: readonly ComputedRun[];
  /** Visits to every tile. */
  readonly sweeps: number;
  /** The image, small, for previews. */
  readonly thumbnail: WritePreview["thumbnail"];
}

export interface ComputeOptions extends Abortable {
  readonly precision: Precision;
  /** Folder of the caller's for tiles. */
  readonly folder: string;
}

/** Longest side of the picture that a preview is made of. */
const thumbnailSide = 1000;

/** Computes all runs in the same visits to the tiles: what they share, such as the forward pass, is computed once. */
export async function computeRuns(
  work: ImageWork,
  { grid, tissue, runs }: TilePlan,
  { precision, folder, signal }: ComputeOptions,
): Promise<ComputedRuns> {
  const { level, observe } = work;
  const timed = stopwatch(observe);
  const [first, ...rest] = runs;
  const joint = joinExplanations([first.explanation, ...rest.map(({ explanation }) => explanation)]);
  observe({
    kind: "image-planned",
    tiles: tissue.tiles.length,
    sweeps: joint.sweeps.length,
    pixels: level.width * level.height,
  });
  const scratch = await openTileScratch(join(folder, "tiles"));
  const canvas = openThumbnail(level, { maxSide: thumbnailSide, alignment: alignmentOf(grid) });
  let statistics: StatisticTable = new Map();
  const ranges = new Map<string, Scale>();
  for (let index = 0; index < joint.sweeps.length; index += 1) {
    const sweep: SweepRun = {
      ...imageSweep(work, { precision, signal }),
      plan: joint,
      index,
      grid,
      tissue,
      programs: work.programs,
      programKey: programKeyOf(work, { runs, complete: tissue.complete }),
      observe,
      store: (tile, map, values, core) => timed("scratch", () => scratch.put(map, tile, core, values)),
      // The picture is made in the first sweep.
      ...(index === 0 ? { see: canvas.add } : {}),
    };
    const swept: { readonly statistics: StatisticTable; readonly ranges: MapRanges } = await runSweep(
      sweep,
      statistics,
    );
    statistics = swept.statistics;
    for (const [map, range] of swept.ranges) ranges.set(map, range);
  }
  return {
    sweeps: joint.sweeps.length,
    thumbnail: canvas.finish(),
    runs: runs.map((run, index): ComputedRun => {
      const outcome = joint.outcome(index, statistics);
      const scale = ranges.get(outcome.map);
      if (scale === undefined) throw new RangeError(`No tile of the map "${outcome.map}" was computed.`);
      return { run, outcome, scale, tiles: scratch.tilesOf(outcome.map) };
    }),
  };
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

/** Names everything that a tile's program depends on, besides the sweep, the precision and the tile's place. */
function programKeyOf(
  work: ImageWork,
  { runs, complete }: { readonly runs: readonly PlannedRun[]; readonly complete: boolean },
): string {
  const { resources, settings, level, mean, std, slide } = work;
  const explained = runs.map(({ method, target }) => `${method}:${target}`);
  const parts = [resources.model.sha256, level.width, level.height, slide.samples, settings.layer ?? "", ...explained];
  return [...parts, complete, mean.join(), std.join()].join("/");
}

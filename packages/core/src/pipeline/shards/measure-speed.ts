import type { Precision } from "../../engine/engine.ts";
import { coreOf } from "../../geometry/tile-grid.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { imageSweep, programKeyOf } from "../image-sweep.ts";
import type { ImageWork } from "../image-work.ts";
import type { TilePlan } from "../plan-runs.ts";
import { sweepTiles } from "../sweep-tiles.ts";
import type { TileSweep } from "../sweep-tiles.ts";

export interface MeasureOptions extends Abortable {
  readonly tiles: TilePlan;
  readonly precision: Precision;
}

/**
 * Computes the kept tile in the middle, whose program most tiles share, and drops it.
 * @returns Pixels of its core a second. The worker remembers it for the images that follow.
 */
export async function measureSpeed(work: ImageWork, { tiles, precision, signal }: MeasureOptions): Promise<number> {
  const { grid, tissue, joint } = tiles;
  const middle = tissue.tiles[Math.floor(tissue.tiles.length / 2)] ?? 0;
  let seconds = 0;
  const trial: TileSweep = {
    ...imageSweep(work, { precision, signal }),
    plan: joint,
    index: 0,
    grid,
    tissue,
    tiles: [middle],
    programs: work.programs,
    programKey: programKeyOf(work, tiles),
    observe: (event) => {
      if (event.kind !== "tile-done") return;
      seconds += event.busySeconds;
      work.observe({ kind: "probe-done", busySeconds: event.busySeconds });
    },
  };
  for await (const _ of sweepTiles(trial, new Map())) continue;
  const { width, height } = coreOf(grid, middle);
  const pixels = width * height;
  work.resources.speeds?.record(work.speedKey, { pixels, seconds });
  return seconds > 0 ? pixels / seconds : pixels;
}

import type { Precision } from "../engine/engine.ts";
import type { MapSamples } from "../explain/tile-program.ts";
import { thumbnailScale } from "../format/output/thumbnail.ts";
import type { ThumbnailScale } from "../format/output/thumbnail.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { elementBytes } from "../graph/tensor.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ImageWork } from "./image-work.ts";
import type { TilePlan } from "./plan-runs.ts";
import type { ExplanationSettings } from "./settings.ts";
import type { TileSweep } from "./sweep-tiles.ts";
import { recomputeAbove } from "./tiles/tile-memory.ts";

export interface ImageSweepOptions extends Abortable {
  readonly precision: Precision;
}

/** What all sweeps of an image have in common, whichever tiles they visit: how pixels come in and values are computed. */
export function imageSweep(
  { resources, settings, slide, level }: ImageWork,
  { precision, signal }: ImageSweepOptions,
): Pick<TileSweep, "precision" | "recomputeAbove" | "composition" | "samples" | "read" | "signal"> {
  return {
    precision,
    recomputeAbove: recomputeAbove({ ...resources, precision }),
    composition: resources.engine.composition,
    samples: mapSamples(settings),
    read: (tile, options) => slide.readTile({ ...tile, level: level.index }, options),
    signal,
  };
}

function mapSamples({ raw }: ExplanationSettings): MapSamples {
  return raw === undefined ? "uint16" : "float32";
}

/** What a pixel of one map takes until it is assembled. */
export function sampleBytes(settings: ExplanationSettings): number {
  return elementBytes[mapSamples(settings)];
}

/** Names everything that a tile's program depends on, besides the sweep, the precision and the tile's place. */
export function programKeyOf(work: ImageWork, { grid, tissue: { complete }, runs }: TilePlan): string {
  const { resources, settings, level, mean, std, slide } = work;
  const explained = runs.map(({ method, target }) => `${method}:${target}`);
  const parts = [resources.model.sha256, level.width, level.height, slide.samples, settings.layer ?? "", ...explained];
  return [...parts, complete, grid.window !== undefined, mean.join(), std.join()].join("/");
}

/** Longest side of the picture that a preview is made of. */
const thumbnailSide = 1000;

/** How the picture of an image's previews is made of its tiles. */
export function thumbnailOf({ level }: ImageWork, grid: TileGrid): ThumbnailScale {
  return thumbnailScale(level, { maxSide: thumbnailSide, alignment: alignmentOf(grid) });
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

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Outcome } from "../explain/explanation.ts";
import type { ImageLevel, SlideImage } from "../format/image.ts";
import type { Scale } from "../format/output/assemble-map.ts";
import type { Manifest } from "../format/output/manifest.ts";
import type { WritePreview } from "../format/output/preview.ts";
import type { StoredPart } from "../format/output/shard-file.ts";
import type { StoredTile } from "../format/output/stored-tile.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import { requireSpace } from "../io/scratch.ts";
import type { ImageWork } from "./image-work.ts";
import type { PlannedRun } from "./plan-runs.ts";
import type { PrecisionChoice } from "./probe-precision.ts";
import type { TissueMask } from "./tiles/tissue.ts";

/** A run whose tiles are all computed. */
export interface FinishedRun extends Omit<ImageWork, "unreadable">, PlannedRun {
  readonly unreadable: readonly StoredPart[];
  readonly precision: PrecisionChoice;
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
  readonly outcome: Outcome;
  readonly scale: Scale;
}

export interface ResultParts {
  readonly folder: string;
  readonly tiles: readonly StoredTile[];
  readonly thumbnail: WritePreview["thumbnail"];
}

/** Of the map's TIFF with its levels, where nothing can be made smaller; of the raw values' plane and chunks, too. */
const bytesPerPixel = { plain: 1.4, raw: 9.4 } as const;

/**
 * Writes `map.tif`, `map.zarr` when it is asked for, and `preview.jpg` into a folder.
 * @returns The files as a manifest lists them.
 */
export async function writeResults(
  run: FinishedRun,
  parts: ResultParts,
  { signal }: Abortable,
): Promise<Manifest["outputs"]> {
  const { settings, level, slide, scale, finisher, tissue } = run;
  const { folder, tiles, thumbnail } = parts;
  const size = { width: level.width, height: level.height };
  await mkdir(folder);
  await requireSpace(folder, level.width * level.height * bytesPerPixel[settings.raw === undefined ? "plain" : "raw"]);
  const common = { size, tiles, leftOut: tissue.leftOut() };
  const mapPath = join(folder, "map.tif");
  const map = await finisher.run({ kind: "map", ...common, scale, path: mapPath }, { signal });
  const micronsPerPixel = micronsPerPixelOf(slide, level);
  const raw =
    settings.raw === undefined
      ? []
      : await finisher.run(
          { kind: "zarr", ...common, type: settings.raw, folder: join(folder, "map.zarr"), micronsPerPixel },
          { signal },
        );
  const preview = {
    kind: "preview",
    thumbnail,
    mapPath,
    mapSize: size,
    scale,
    lines: captionOf(run),
    path: join(folder, "preview.jpg"),
  } as const;
  return [...map, ...raw, ...(await finisher.run(preview, { signal }))];
}

function captionOf({ method, outcome, image, level }: FinishedRun): readonly string[] {
  const { target, logits, probabilities } = outcome;
  const probability = (probabilities[target.index] ?? 0).toFixed(4);
  const logit = (logits[target.index] ?? 0).toPrecision(5);
  return [
    `${method}: ${target.label}   p = ${probability}   logit = ${logit}`,
    `${image.key}   ${level.width} x ${level.height}`,
  ];
}

/** Of a pixel of the level; `undefined` when the image does not say. */
export function micronsPerPixelOf(slide: SlideImage, level: ImageLevel): number | undefined {
  return slide.micronsPerPixel === undefined ? undefined : slide.micronsPerPixel * level.downsample;
}

import type { Precision } from "../engine/engine.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ImageWork } from "./image-work.ts";
import type { SweepRun } from "./run-sweep.ts";
import { recomputeAbove } from "./tile-memory.ts";

export interface ImageSweepOptions extends Abortable {
  readonly precision: Precision;
}

/** What all sweeps of an image have in common, whichever tiles they visit: how pixels come in and values are computed. */
export function imageSweep(
  { resources, settings, slide, level }: ImageWork,
  { precision, signal }: ImageSweepOptions,
): Pick<SweepRun, "precision" | "recomputeAbove" | "samples" | "read" | "signal"> {
  return {
    precision,
    recomputeAbove: recomputeAbove({ ...resources, precision }),
    samples: settings.raw === undefined ? "uint16" : "float32",
    read: (rectangle, options) => slide.read(level.index, rectangle, options),
    signal,
  };
}

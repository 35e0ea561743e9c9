import type { Precision } from "../engine/engine.ts";
import type { SlidelightError } from "../errors/slidelight-error.ts";
import type { MethodName } from "../explain/methods/index.ts";

/** Error of a precision below float32 that is accepted when nothing else is said: a hundredth of the map's range. */
export const defaultMaxError = 0.01;

/** What to explain and how; everything here is part of the run's identity, except the tile size. */
export interface ExplanationSettings {
  readonly methods: readonly [MethodName, ...MethodName[]];
  /** `top1`, a class index or name, `a-b` for a difference, `a-others` or `top1-others` for a class against the mean of the others. */
  readonly targets: readonly [string, ...string[]];
  /** Name of an inner value of the network; by default the value that is pooled. */
  readonly layer?: string;
  /** Pyramid level, 0 = full resolution. Not together with `micronsPerPixel`. */
  readonly level?: number;
  /** The level whose resolution is nearest to this one, in micrometres per pixel. */
  readonly micronsPerPixel?: number;
  /**
   * Side of a tile's core in pixels; chosen from the memory budget when absent. `fastest` tries some on the image: the time it
   * takes then decides, and two runs need not agree to the last bit.
   */
  readonly tile?: number | "fastest";
  readonly tissue: "auto" | "off";
  /** Also write the unscaled values as `map.zarr`. */
  readonly raw?: "float16" | "float32";
  /** What the network is computed in; default: float32. */
  readonly precision?: Precision;
  /** Error of a lower precision, as a share of the map's range, above which the run is made in float32; default: 0.01. */
  readonly maxError?: number;
  /** Take what cannot be read of a tiled image as white, and say so in the manifest, instead of failing. */
  readonly tolerateBadTiles?: boolean;
  /** Pre-processing that overrides the model's metadata; for RGB in 0..1. */
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
}

/** What became of one method and target on an image. */
export type ExplanationResult = {
  readonly method: MethodName;
} & (
  | {
      /** Whether this call made it. */
      readonly status: "done" | "skipped";
      readonly runId: string;
      /** The target as resolved: a class name, or `a-b`. */
      readonly target: string;
      /** Where the outputs are, to print: `<out>/<key>/<run id>`. */
      readonly output: string;
    }
  | {
      readonly status: "failed";
      /** The target as it was given. */
      readonly target: string;
      /** Why this method or target does not suit the model. */
      readonly error: SlidelightError;
    }
);

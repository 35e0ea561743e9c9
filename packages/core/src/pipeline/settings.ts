import type { MethodName } from "../explain/methods/index.ts";

/** What to explain and how; everything here is part of the run's identity, except the tile size. */
export interface ExplanationSettings {
  readonly methods: readonly [MethodName, ...MethodName[]];
  /** `top1`, a class index or name, or `a-b` for a difference. */
  readonly targets: readonly [string, ...string[]];
  /** Name of an inner value of the network; by default the value that is pooled. */
  readonly layer?: string;
  /** Pyramid level, 0 = full resolution. Not together with `micronsPerPixel`. */
  readonly level?: number;
  /** The level whose resolution is nearest to this one, in micrometres per pixel. */
  readonly micronsPerPixel?: number;
  /** Side of a tile's core in pixels; chosen from the memory budget when absent. */
  readonly tile?: number;
  readonly tissue: "auto" | "off";
  /** Also write the unscaled values as `map.zarr`. */
  readonly raw?: "float16" | "float32";
  /** Pre-processing that overrides the model's metadata; for RGB in 0..1. */
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
}

/** The folder of one image, method and target, and whether this call made it. */
export interface ExplanationResult {
  readonly status: "done" | "skipped";
  readonly runId: string;
  readonly method: MethodName;
  /** The target as resolved: a class name, or `a-b`. */
  readonly target: string;
  /** Where the outputs are, to print: `<out>/<key>/<run id>`. */
  readonly output: string;
}

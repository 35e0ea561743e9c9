import { createHash } from "node:crypto";
import type { MethodName } from "../explain/methods/index.ts";
import type { Model } from "../model/model.ts";
import type { Triple } from "../model/network.ts";
import { defaultMaxError } from "./settings.ts";
import type { ExplanationSettings } from "./settings.ts";

/** Raised whenever the same inputs give other bytes. */
export const runFormatVersion = 3;

/** A model as far as it decides a result. */
type ModelIdentity = Pick<Model, "sha256" | "mean" | "std">;

/** Everything that determines a run's result. */
export interface RunIdentity {
  readonly image: { readonly etag: string; readonly size: number };
  readonly model: ModelIdentity;
  readonly settings: ExplanationSettings;
  /** Index of the pyramid level that is explained. */
  readonly level: number;
  readonly method: MethodName;
  /** As it was given. */
  readonly target: string;
}

/** Pre-processing of RGB in 0..1: the settings', else the model's, else none. */
export function normalisationOf(
  { mean, std }: Pick<ExplanationSettings, "mean" | "std">,
  model: Pick<Model, "mean" | "std">,
): { readonly mean: Triple; readonly std: Triple } {
  return { mean: mean ?? model.mean ?? [0, 0, 0], std: std ?? model.std ?? [1, 1, 1] };
}

/** 32 hexadecimal digits: the same result has the same id, whoever makes it, wherever the image lies. */
export function runId({ image, model, settings, level, method, target }: RunIdentity): string {
  const { layer, tissue, raw, precision = "float32", maxError = defaultMaxError, tolerateBadTiles } = settings;
  const { mean, std } = normalisationOf(settings, model);
  const parts = [
    runFormatVersion,
    image.etag,
    image.size,
    model.sha256,
    method,
    target,
    layer ?? "",
    level,
    tissue,
    raw ?? "",
  ];
  // What says nothing by default leaves the ids as they were before it could be asked for.
  const narrow = precision === "float32" ? [] : [precision, maxError];
  const tolerant = tolerateBadTiles === true ? ["tolerate-bad-tiles"] : [];
  return createHash("sha256")
    .update(JSON.stringify([...parts, mean, std, ...narrow, ...tolerant]))
    .digest("hex")
    .slice(0, 32);
}

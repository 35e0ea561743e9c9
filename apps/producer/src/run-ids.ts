import { defaultMaxError, runId } from "@slidelight/core";
import type { Model } from "@slidelight/core";
import type { ImageJob } from "@slidelight/contract";

/** Of a model, what decides a run besides its digest. */
export type Normalisation = Pick<Model, "mean" | "std">;

/**
 * The ids of the runs that a job makes, one for each method and target, as the worker will name them.
 * `undefined` where the level follows from a resolution: that is known only when the image is open.
 */
export function runIdsOf(
  { image, model, settings }: ImageJob,
  { mean, std }: Normalisation,
): readonly string[] | undefined {
  if (settings.micronsPerPixel !== undefined) return undefined;
  return settings.methods.flatMap((method) =>
    settings.targets.map((target) =>
      runId({
        image: { etag: image.etag, size: image.bytes },
        model: model.sha256,
        method,
        target,
        layer: settings.layer,
        level: settings.level ?? 0,
        tissue: settings.tissue,
        raw: settings.raw,
        mean: settings.mean ?? mean ?? [0, 0, 0],
        std: settings.std ?? std ?? [1, 1, 1],
        precision: settings.precision ?? "float32",
        maxError: settings.maxError ?? defaultMaxError,
      }),
    ),
  );
}

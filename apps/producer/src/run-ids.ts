import type { ImageJob } from "@slidelight/contract";
import { runId } from "@slidelight/core/request";
import type { Model } from "@slidelight/core";

/** Of a model, what decides a run besides its digest. */
export type Normalisation = Pick<Model, "mean" | "std">;

/**
 * The ids of the runs that a job makes, one for each method and target, as the worker will name them.
 * `undefined` where the level follows from a resolution: that is known only when the image is open.
 */
export function runIdsOf(
  { image, model, settings }: ImageJob,
  normalisation: Normalisation,
): readonly string[] | undefined {
  if (settings.micronsPerPixel !== undefined) return undefined;
  const identity = {
    image: { etag: image.etag, size: image.bytes },
    model: { ...normalisation, sha256: model.sha256 },
    settings,
    level: settings.level ?? 0,
  };
  return settings.methods.flatMap((method) => settings.targets.map((target) => runId({ ...identity, method, target })));
}

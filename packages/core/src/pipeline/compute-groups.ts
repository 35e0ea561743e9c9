import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { Precision } from "../engine/engine.ts";
import type { Abortable } from "../io/byte-source.ts";
import { computeRuns } from "./compute-runs.ts";
import type { ComputedRuns } from "./compute-runs.ts";
import type { ImageWork } from "./image-work.ts";
import { planTiles } from "./plan-runs.ts";
import type { TilePlan } from "./plan-runs.ts";
import { probePrecision, requestedPrecision } from "./probe-precision.ts";
import type { PrecisionChoice } from "./probe-precision.ts";

/** Runs that were computed together, in one precision and on the same tiles. */
export interface ComputedGroup extends Pick<TilePlan, "grid" | "tissue">, ComputedRuns {
  /** By run id. */
  readonly choices: ReadonlyMap<string, PrecisionChoice>;
}

export interface ComputeGroupsOptions extends Abortable {
  /** Folder of the caller's for tiles. */
  readonly folder: string;
}

type Runs = TilePlan["runs"];

/**
 * Computes the runs in the precision that was asked for while its error is measured: the engine has work from the
 * start. Where the error turns out too large, these tiles are dropped, and the runs are computed anew, each in the
 * precision that suits it.
 */
export async function computeGroups(
  work: ImageWork,
  runs: Runs,
  { folder, signal }: ComputeGroupsOptions,
): Promise<readonly ComputedGroup[]> {
  const requested = requestedPrecision(work);
  const plan = await planTiles(work, runs, { precision: requested, signal });
  const tooCoarse = new AbortController();
  const either = AbortSignal.any(signal === undefined ? [tooCoarse.signal] : [signal, tooCoarse.signal]);
  // Every read in flight listens to it.
  setMaxListeners(0, either);
  // The probe asks the engine first.
  const choosing = probePrecision(work, plan, { requested, signal });
  const computing = computeRuns(work, plan, { precision: requested, folder: join(folder, requested), signal: either });
  const ended = Promise.allSettled([computing]);
  try {
    const choices = await choosing;
    if (runs.every(({ id }) => choices.get(id)?.used === requested)) {
      const { grid, tissue } = plan;
      return [{ grid, tissue, choices, ...(await computing) }];
    }
    tooCoarse.abort();
    await ended;
    const groups: ComputedGroup[] = [];
    for (const { used, members } of byPrecision(runs, choices)) {
      const tiles = await planTiles(work, members, { precision: used, signal });
      const { grid, tissue } = tiles;
      const computed = await computeRuns(work, tiles, { precision: used, folder: join(folder, used), signal });
      groups.push({ grid, tissue, choices, ...computed });
    }
    return groups;
  } finally {
    tooCoarse.abort();
    await ended;
  }
}

function byPrecision(
  runs: Runs,
  choices: ReadonlyMap<string, PrecisionChoice>,
): readonly { readonly used: Precision; readonly members: Runs }[] {
  return (["float32", "bfloat16", "float16"] as const).flatMap((used) => {
    const [first, ...rest] = runs.filter(({ id }) => choices.get(id)?.used === used);
    return first === undefined ? [] : [{ used, members: [first, ...rest] as const }];
  });
}

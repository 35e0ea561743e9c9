import { setMaxListeners } from "node:events";
import type { Precision } from "../engine/engine.ts";
import { computeRuns, computingHere } from "./compute-runs.ts";
import type { ComputedRuns, OnMissing } from "./compute-runs.ts";
import type { ImageWork } from "./image-work.ts";
import type { TilePlan } from "./plan-runs.ts";
import { probePrecision, requestedPrecision } from "./probe-precision.ts";
import type { PrecisionChoice } from "./probe-precision.ts";
import { foreignWork, prepareWork } from "./shards/prepare-work.ts";
import type { PreparedWork, PrepareOptions } from "./shards/prepare-work.ts";
import { stopwatch } from "./stopwatch.ts";
import { writeKnown } from "./shards/known-statistics.ts";

/** Runs that were computed together, in one precision and on the same tiles. */
export interface ComputedGroup extends Pick<TilePlan, "grid" | "tissue">, ComputedRuns {
  /** By run id. */
  readonly choices: ReadonlyMap<string, PrecisionChoice>;
}

/** One shard that is to be computed by others. */
export interface ShardReference {
  readonly precision: Precision;
  readonly sweep: number;
  readonly shard: number;
}

export type Computed =
  /** `kept`: whether parts rest where they outlive the process. */
  | { readonly kind: "computed"; readonly groups: readonly ComputedGroup[]; readonly kept: boolean }
  | { readonly kind: "left"; readonly shards: readonly ShardReference[] };

export interface ComputeGroupsOptions extends Omit<PrepareOptions, "precision"> {
  /** Folder of the caller's for files. */
  readonly folder: string;
}

type Runs = TilePlan["runs"];

/** Computes the runs, each in the precision that suits it, or says which shards others should compute first. */
export async function computeGroups(work: ImageWork, options: ComputeGroupsOptions): Promise<Computed> {
  const requested = requestedPrecision(work);
  const prepared = await stopwatch(work.observe)("plan", () => prepareWork(work, { ...options, precision: requested }));
  return prepared.distributed
    ? computeElsewhere(work, prepared, { ...options, requested })
    : computeHere(work, prepared, { ...options, requested });
}

interface GroupOptions extends ComputeGroupsOptions {
  readonly requested: Precision;
}

/**
 * Computes in the precision that was asked for while its error is measured: the engine has work from the start. Runs whose error turns out
 * too large are computed anew in another precision; where no run is left, these tiles are dropped.
 */
async function computeHere(work: ImageWork, prepared: PreparedWork, options: GroupOptions): Promise<Computed> {
  const { requested, folder, signal } = options;
  const { runs } = prepared.tiles;
  observePlan(work, prepared);
  const tooCoarse = new AbortController();
  const either = AbortSignal.any(signal === undefined ? [tooCoarse.signal] : [signal, tooCoarse.signal]);
  // Every read in flight listens to it.
  setMaxListeners(0, either);
  // The probe asks the engine first.
  const choosing = probePrecision(work, prepared.tiles, { requested, signal });
  const computing = computeRuns(work, { ...prepared, folder, signal: either }, computingHere(work, { signal: either }));
  const ended = Promise.allSettled([computing]);
  try {
    const choices = await choosing;
    const groups: ComputedGroup[] = [];
    if (runs.some(suitedBy(requested, choices))) {
      groups.push(groupOf(prepared, complete(await computing), choices));
    } else {
      tooCoarse.abort();
      await ended;
    }
    const others = await prepareOthers(work, { ...options, runs, choices });
    for (const other of others) {
      observePlan(work, other);
      const computed = await computeRuns(work, { ...other, folder, signal }, computingHere(work, { signal }));
      groups.push(groupOf(other, complete(computed), choices));
    }
    return { kind: "computed", groups, kept: isKept([prepared, ...others], options) };
  } finally {
    tooCoarse.abort();
    await ended;
  }
}

/** Says which shards are missing; once none is, what they tell together. */
async function computeElsewhere(work: ImageWork, prepared: PreparedWork, options: GroupOptions): Promise<Computed> {
  const { place, requested, folder, signal } = options;
  const { runs } = prepared.tiles;
  if (place.foreign && requested !== "float32") throw foreignWork(work, `${requested} must be measured`);
  const choices = await probePrecision(work, prepared.tiles, { requested, signal });
  const suits = runs.some(suitedBy(requested, choices));
  const prepareds = [...(suits ? [prepared] : []), ...(await prepareOthers(work, { ...options, runs, choices }))];
  const shards: ShardReference[] = [];
  const leave: OnMissing = async ({ plan, sweep, shards: missing, known, store }) => {
    await writeKnown(store, { precision: plan.precision, sweep, known, signal });
    for (const shard of missing) shards.push({ precision: plan.precision, sweep, shard });
    return "left";
  };
  const groups: ComputedGroup[] = [];
  for (const group of prepareds) {
    const computed = await computeRuns(work, { ...group, folder, signal }, leave);
    if (computed !== undefined) groups.push(groupOf(group, computed, choices));
  }
  return shards.length > 0 ? { kind: "left", shards } : { kind: "computed", groups, kept: true };
}

function isKept(prepareds: readonly PreparedWork[], { place }: GroupOptions): boolean {
  return prepareds.some(({ store }) => store === place.kept);
}

interface RegroupOptions extends GroupOptions {
  readonly choices: ReadonlyMap<string, PrecisionChoice>;
}

/** The runs that another precision suits than the one that was asked for, grouped by it. */
async function prepareOthers(work: ImageWork, options: RegroupOptions): Promise<readonly PreparedWork[]> {
  const groups: PreparedWork[] = [];
  for (const precision of ["float32", "bfloat16", "float16"] as const) {
    if (precision === options.requested) continue;
    const [first, ...rest] = options.runs.filter(suitedBy(precision, options.choices));
    if (first === undefined) continue;
    groups.push(await prepareWork(work, { ...options, precision, runs: unmasked([first, ...rest], options) }));
  }
  return groups;
}

/** As they were planned before tiles were left out: other tiles may be now. */
function unmasked([first, ...rest]: Runs, { runOf }: RegroupOptions): Runs {
  return [runOf(first.id), ...rest.map(({ id }) => runOf(id))];
}

/** Whether a precision is what a run is to be computed in. */
function suitedBy(precision: Precision, choices: ComputedGroup["choices"]): (run: { readonly id: string }) => boolean {
  return ({ id }) => choices.get(id)?.used === precision;
}

/** Of what was computed together, the runs that this precision suits: those that it does not are computed in another one. */
function groupOf(
  { tiles: { grid, tissue }, plan: { precision } }: PreparedWork,
  computed: ComputedRuns,
  choices: ComputedGroup["choices"],
): ComputedGroup {
  const isSuited = suitedBy(precision, choices);
  const runs = computed.runs.filter(({ run }) => isSuited(run));
  return { ...computed, grid, tissue, choices, runs };
}

function observePlan({ level, observe }: ImageWork, { tiles, plan }: PreparedWork): void {
  observe({
    kind: "image-planned",
    tiles: tiles.tissue.tiles.length,
    sweeps: plan.sweeps.length,
    pixels: level.width * level.height,
  });
}

function complete(computed: ComputedRuns | undefined): ComputedRuns {
  if (computed === undefined) throw new RangeError("All shards were computed here.");
  return computed;
}

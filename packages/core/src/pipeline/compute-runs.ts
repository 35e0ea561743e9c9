import type { Outcome, StatisticTable } from "../explain/explanation.ts";
import type { Scale } from "../format/output/assemble-map.ts";
import type { StoredPart } from "../format/output/shard-file.ts";
import type { StoredTile } from "../format/output/stored-tile.ts";
import { drawThumbnail } from "../format/output/thumbnail.ts";
import type { Thumbnail, ThumbnailPart } from "../format/output/thumbnail.ts";
import type { Abortable } from "../io/byte-source.ts";
import { thumbnailOf } from "./image-sweep.ts";
import type { ImageWork } from "./image-work.ts";
import type { PlannedRun, TilePlan } from "./plan-runs.ts";
import { collectSweep, distinctParts, fetchTiles } from "./shards/collect-shards.ts";
import type { CollectedSweep } from "./shards/collect-shards.ts";
import { computeShards } from "./shards/compute-shards.ts";
import type { ComputeShards } from "./shards/compute-shards.ts";
import type { ShardStore } from "./shards/shard-store.ts";
import { stopwatch } from "./stopwatch.ts";
import { shardName, sweepPrefix } from "./shards/work-plan.ts";
import type { WorkPlan } from "./shards/work-plan.ts";

/** A run whose tiles are all computed and rest in local files. */
export interface ComputedRun {
  readonly run: PlannedRun;
  readonly outcome: Outcome;
  /** Smallest and largest value of its map. */
  readonly scale: Scale;
  readonly tiles: readonly StoredTile[];
}

export interface ComputedRuns {
  readonly runs: readonly ComputedRun[];
  /** The image, small, for previews. */
  readonly thumbnail: Thumbnail;
  /** Parts of the image that could not be read, and were taken as white. */
  readonly unreadable: readonly StoredPart[];
}

export interface ComputeOptions extends Abortable {
  readonly tiles: TilePlan;
  readonly plan: WorkPlan;
  readonly store: ShardStore;
  /** Folder of the caller's for files. */
  readonly folder: string;
}

/** Shards that nobody has computed yet, of the first sweep that is not complete. */
export type MissingShards = Omit<ComputeShards, keyof Abortable>;

/** What becomes of missing shards: they are there afterwards, or somebody else computes them. */
export type OnMissing = (missing: MissingShards) => Promise<"computed" | "left">;

/**
 * Computes all runs in the same visits to the tiles: what they share, such as the forward pass, is computed once. Sweep by
 * sweep: shards that are there are not computed again.
 * @returns `undefined` when shards were left to others.
 */
export async function computeRuns(
  work: ImageWork,
  { tiles, plan, store, folder, signal }: ComputeOptions,
  onMissing: OnMissing,
): Promise<ComputedRuns | undefined> {
  const { joint } = tiles;
  const timed = stopwatch(work.observe);
  const thumbnail: ThumbnailPart[] = [];
  const unreadable: StoredPart[] = [];
  const maps = new Map<string, readonly StoredTile[]>();
  const ranges = new Map<string, Scale>();
  let known: StatisticTable = new Map();
  for (const [sweep, { maps: requested }] of joint.sweeps.entries()) {
    const shards = await missingShards(store, { plan, sweep, signal });
    if (shards.length > 0) {
      const missing = { tiles, plan, sweep, shards, known, store, folder };
      if ((await onMissing(missing)) === "left") return undefined;
    }
    const before = known;
    const collected: CollectedSweep = await timed("collect", () =>
      collectSweep({ store, plan, sweep, known: before, signal }),
    );
    known = collected.statistics;
    thumbnail.push(...collected.thumbnail);
    unreadable.push(...collected.unreadable);
    if (requested.length === 0) continue;
    for (const [map, range] of collected.ranges) ranges.set(map, range);
    const fetched = await timed("collect", () => fetchTiles(collected, { store, plan, sweep, folder, signal }));
    for (const [map, list] of fetched) maps.set(map, list);
  }
  return {
    unreadable: distinctParts(unreadable),
    thumbnail: drawThumbnail(thumbnailOf(work, tiles.grid), thumbnail),
    runs: tiles.runs.map((run, index): ComputedRun => {
      const outcome = joint.outcome(index, known);
      const scale = ranges.get(outcome.map);
      const stored = maps.get(outcome.map);
      if (scale === undefined || stored === undefined)
        throw new RangeError(`No tile of the map "${outcome.map}" was computed.`);
      return { run, outcome, scale, tiles: stored };
    }),
  };
}

/** Computes missing shards here. */
export function computingHere(work: ImageWork, { signal }: Abortable): OnMissing {
  return async (missing) => {
    await computeShards(work, { ...missing, signal });
    return "computed";
  };
}

interface MissingOptions extends Abortable {
  readonly plan: WorkPlan;
  readonly sweep: number;
}

async function missingShards(store: ShardStore, { plan, sweep, signal }: MissingOptions): Promise<readonly number[]> {
  const names = await store.names(sweepPrefix(plan.precision, sweep), { signal });
  const shards = plan.sweeps[sweep]?.shards ?? [];
  return [...shards.keys()].filter((shard) => !names.has(shardName(plan.precision, sweep, shard)));
}

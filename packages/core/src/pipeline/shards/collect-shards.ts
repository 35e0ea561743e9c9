import { readShardIndex } from "../../format/output/shard-file.ts";
import type { ShardTile, StoredPart } from "../../format/output/shard-file.ts";
import type { StoredTile } from "../../format/output/stored-tile.ts";
import type { StatisticTable } from "../../explain/explanation.ts";
import { mergeTables } from "../../explain/statistics.ts";
import type { ThumbnailPart } from "../../format/output/thumbnail.ts";
import type { Scale } from "../../format/output/assemble-map.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { inParallel } from "./in-parallel.ts";
import type { ShardStore } from "./shard-store.ts";
import { shardName } from "./work-plan.ts";
import type { WorkPlan } from "./work-plan.ts";

/** What a sweep's shards tell together. */
export interface CollectedSweep {
  /** Known before, and of this sweep. */
  readonly statistics: StatisticTable;
  /** Smallest and largest value of each map. */
  readonly ranges: ReadonlyMap<string, Scale>;
  readonly thumbnail: readonly ThumbnailPart[];
  /** By shard. */
  readonly tiles: readonly (readonly ShardTile[])[];
  /** Parts of the image that could not be read, row by row. */
  readonly unreadable: readonly StoredPart[];
}

export interface CollectOptions extends Abortable {
  readonly store: ShardStore;
  readonly plan: WorkPlan;
  readonly sweep: number;
  readonly known: StatisticTable;
}

/** Requests to the store under way at once. */
const requests = 16;

/**
 * Merges the statistics of a sweep whose shards are all there, in float64, tile by tile in the plan's order: however the tiles were
 * divided among shards and workers, the same numbers are added in the same order.
 * @throws {SlidelightError} `shard-invalid` when a shard is not there, or does not hold the tiles that the plan says.
 */
export async function collectSweep({ store, plan, sweep, known, signal }: CollectOptions): Promise<CollectedSweep> {
  const { tiles: order, shards } = divided(plan, sweep);
  const indexes = await inParallel(shards, requests, async (_, shard) => {
    await using source = await store.open(shardName(plan.precision, sweep, shard), { signal });
    return await readShardIndex(source, { signal });
  });
  const byTile = new Map(indexes.flatMap(({ tiles }) => tiles).map((tile) => [tile.tile, tile] as const));
  let statistics = known;
  const ranges = new Map<string, Scale>();
  const thumbnail: ThumbnailPart[] = [];
  for (const number of order) {
    const tile = byTile.get(number);
    if (tile === undefined) throw incomplete(store, sweep, number);
    statistics = mergeTables(statistics, tile.statistics);
    if (tile.thumbnail !== undefined) thumbnail.push(tile.thumbnail);
    for (const [map, { low, high }] of tile.maps) {
      const range = ranges.get(map);
      ranges.set(map, { min: Math.min(range?.min ?? Infinity, low), max: Math.max(range?.max ?? -Infinity, high) });
    }
  }
  const unreadable = distinctParts(indexes.flatMap((index) => index.unreadable));
  return { statistics, ranges, thumbnail, tiles: indexes.map(({ tiles }) => tiles), unreadable };
}

/** Shards that meet at an unreadable part each tell of it; which one does first depends on who computes. */
export function distinctParts(parts: readonly StoredPart[]): readonly StoredPart[] {
  const byPlace = new Map(parts.map((part) => [JSON.stringify(part.rectangle), part] as const));
  return [...byPlace.values()].sort(({ rectangle: a }, { rectangle: b }) => a.y - b.y || a.x - b.x);
}

/** Copies of a few shards are under way at once: each is read as fast as the store gives it. */
const copies = 4;

/** The tiles of each map, in local files. */
export async function fetchTiles(
  { tiles }: CollectedSweep,
  { store, plan, sweep, folder, signal }: Omit<CollectOptions, "known"> & { readonly folder: string },
): Promise<ReadonlyMap<string, readonly StoredTile[]>> {
  const maps = new Map<string, StoredTile[]>();
  const paths = await inParallel(tiles, copies, (_, shard) =>
    store.fetch(shardName(plan.precision, sweep, shard), folder, { signal }),
  );
  for (const [shard, index] of tiles.entries()) {
    const path = paths[shard];
    if (path === undefined) throw new RangeError("Every shard was fetched.");
    for (const { core, maps: stored } of index) {
      for (const [map, place] of stored) {
        const list = maps.get(map) ?? [];
        maps.set(map, list);
        list.push({ ...place, path, core });
      }
    }
  }
  return maps;
}

function divided(plan: WorkPlan, sweep: number): WorkPlan["sweeps"][number] {
  const found = plan.sweeps[sweep];
  if (found === undefined) throw new RangeError(`The plan has no sweep ${sweep}.`);
  return found;
}

function incomplete(store: ShardStore, sweep: number, tile: number): SlidelightError {
  return new SlidelightError(
    "shard-invalid",
    `Collecting sweep ${sweep + 1} in ${store.uri}: expected tile ${tile} in one of the shards, got none. Remove ${store.uri}, and the image is begun anew.`,
  );
}

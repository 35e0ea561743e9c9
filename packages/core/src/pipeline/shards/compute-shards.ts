import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { StatisticTable } from "../../explain/explanation.ts";
import { mergeTables } from "../../explain/statistics.ts";
import { createShardFile, readShardIndex } from "../../format/output/shard-file.ts";
import { readStoredTile } from "../../format/output/stored-tile.ts";
import type { ShardIndex, ShardWriter, StoredPart, TileResult } from "../../format/output/shard-file.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { openFileSource } from "../../io/file-source.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { imageSweep, programKeyOf, thumbnailOf } from "../image-sweep.ts";
import type { ImageWork } from "../image-work.ts";
import type { TilePlan } from "../plan-runs.ts";
import { sweepTiles } from "../sweep-tiles.ts";
import type { TileSweep } from "../sweep-tiles.ts";
import type { ShardStore } from "./shard-store.ts";
import { partName, planName, shardName, sweepPrefix } from "./work-plan.ts";
import type { WorkPlan } from "./work-plan.ts";

export interface ComputeShards extends Abortable {
  readonly tiles: TilePlan;
  readonly plan: WorkPlan;
  readonly sweep: number;
  /** The shards to compute, ascending. */
  readonly shards: readonly number[];
  /** What the sweeps before told. */
  readonly known: StatisticTable;
  readonly store: ShardStore;
  /** Folder of the caller's for files in progress. */
  readonly folder: string;
}

/** How long a worker that is being stopped may take to save the tiles of an unfinished shard. */
const partMs = 10_000;

/**
 * Computes shards of a sweep, one after the other; each is in the store before the next one's tiles are waited for. The engine
 * does not notice where one ends. When the signal aborts, the tiles of the unfinished shard are saved, and whoever takes it
 * up goes on from there.
 */
export async function computeShards(work: ImageWork, request: ComputeShards): Promise<void> {
  const { plan, sweep, shards, store, folder, signal } = request;
  const startedMs = performance.now();
  const parts = new Map<number, ShardPart>();
  const names = await store.names(sweepPrefix(plan.precision, sweep), { signal });
  for (const shard of shards) {
    const part = partName(nameOf(shard));
    const found = names.has(part) ? await readPart(part, request) : undefined;
    if (found !== undefined) parts.set(shard, found);
  }
  function nameOf(shard: number): string {
    return shardName(plan.precision, sweep, shard);
  }
  const tilesOf = (shard: number): readonly number[] => {
    const { start, end } = shardOf(plan, sweep, shard);
    return plan.sweeps[sweep]?.tiles.slice(start, end) ?? [];
  };
  const open = shards.map((shard) => {
    const done = new Set(parts.get(shard)?.tiles.map(({ tile }) => tile));
    return { shard, left: tilesOf(shard).filter((tile) => !done.has(tile)) };
  });
  const results = sweepTiles(tileSweep(work, { ...request, visit: open.flatMap(({ left }) => left) }), request.known);
  let pixels = 0;
  let sinceMs = startedMs;
  try {
    for (const { shard, left } of open) {
      const path = join(folder, `${plan.precision}-${sweep}-${shard}.shard`);
      const name = nameOf(shard);
      await using writer = await createShardFile(path, work.finisher);
      const part = parts.get(shard);
      // What could not be read for the tiles of the part is not met again here.
      const unreadable = (): readonly StoredPart[] => [...(part?.unreadable ?? []), ...work.unreadable];
      try {
        await copyPart(part, writer);
        for (let count = 0; count < left.length; count += 1) {
          const next = await results.next();
          if (next.done === true) throw new RangeError("The sweep ended before its last tile.");
          pixels += next.value.core.width * next.value.core.height;
          await writer.add(wantedOf(next.value, request));
        }
      } catch (error) {
        work.observe({ kind: "stage-failed", stage: "compute", seconds: (performance.now() - sinceMs) / 1000, error });
        if (signal?.aborted === true && work.resources.leaving?.aborted !== false)
          await savePart(writer, { path, name: partName(name), unreadable: unreadable(), request });
        throw error;
      }
      await writer.finish(unreadable());
      await keep(name, path, request);
      if (part !== undefined) await store.remove(partName(name));
      const nowMs = performance.now();
      const seconds = (nowMs - sinceMs) / 1000;
      sinceMs = nowMs;
      work.observe({ kind: "shard-done", sweep, shard, tiles: tilesOf(shard).length, seconds });
    }
  } finally {
    await results.return(undefined);
    work.resources.speeds?.record(work.speedKey, { pixels, seconds: (performance.now() - startedMs) / 1000 });
  }
}

/**
 * There is a map for each class that may turn out to be the target. Which one is wanted, only the last tile of the last sweep tells; where it is
 * the only one, the others need not be kept.
 */
function wantedOf(result: TileResult, { tiles: { runs, joint }, plan, sweep, known }: ComputeShards): TileResult {
  if (sweep < joint.sweeps.length - 1 || plan.sweeps[sweep]?.tiles.length !== 1) return result;
  const statistics = mergeTables(known, result.statistics);
  const wanted = new Set(runs.map((_, index) => joint.outcome(index, statistics).map));
  return { ...result, maps: new Map([...result.maps].filter(([id]) => wanted.has(id))) };
}

/**
 * Stores a shard. Whoever finishes an image removes its plan first and then its parts: a shard that is stored after that, by one who
 * does not know yet, would stay for ever.
 * @throws {SlidelightError} `shard-invalid` when that has happened; what `take` throws.
 */
async function keep(
  name: string,
  path: string,
  request: Pick<ComputeShards, "store" | "plan" | "signal">,
): Promise<void> {
  const { store, plan, signal } = request;
  const planned = planName(plan.precision);
  const withdrawUnlessWanted = async (): Promise<boolean> => {
    const wanted = (await store.names(planned)).has(planned);
    if (!wanted) await store.remove(name);
    return wanted;
  };
  try {
    await store.take(name, path, { signal });
  } catch (error) {
    // What was given up may have been stored all the same. Why it was given up counts, not what else fails.
    await withdrawUnlessWanted().catch(() => undefined);
    throw error;
  }
  if (await withdrawUnlessWanted()) return;
  throw new SlidelightError(
    "shard-invalid",
    `Keeping a shard in ${store.uri}: expected the plan that it belongs to, got nothing: another worker has finished the image. The image is looked at again.`,
  );
}

/** The tiles that somebody saved of a shard, in a local file. */
interface ShardPart extends ShardIndex {
  readonly path: string;
}

async function readPart(name: string, { store, folder, signal }: ComputeShards): Promise<ShardPart | undefined> {
  try {
    const path = await store.fetch(name, folder, { signal });
    await using source = await openFileSource(path);
    return { path, ...(await readShardIndex(source, { signal })) };
  } catch {
    signal?.throwIfAborted();
    // It only saves work.
    return undefined;
  }
}

/** One tile after the other: a shard may be larger than memory. */
async function copyPart(part: ShardPart | undefined, writer: ShardWriter): Promise<void> {
  if (part === undefined) return;
  const { path } = part;
  for (const { maps, ...tile } of part.tiles) {
    const values = [...maps].map(([id, map]) => [id, readStoredTile({ ...map, path, core: tile.core })] as const);
    await writer.add({ ...tile, maps: new Map(values) });
  }
}

interface SavePart {
  readonly path: string;
  readonly name: string;
  readonly unreadable: readonly StoredPart[];
  readonly request: ComputeShards;
}

/** Saves what there is of a shard. What can't be saved is computed again. */
async function savePart(writer: ShardWriter, { path, name, unreadable, request }: SavePart): Promise<void> {
  if (writer.tiles.length === 0) return;
  try {
    await writer.finish(unreadable);
    await keep(name, path, { ...request, signal: AbortSignal.timeout(partMs) });
  } catch {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

function tileSweep(work: ImageWork, request: ComputeShards & { readonly visit: readonly number[] }): TileSweep {
  const { tiles, plan, sweep, visit, signal } = request;
  const { grid, tissue, joint } = tiles;
  return {
    ...imageSweep(work, { precision: plan.precision, signal }),
    plan: joint,
    index: sweep,
    grid,
    tissue,
    tiles: visit,
    programs: work.programs,
    programKey: programKeyOf(work, tiles),
    observe: work.observe,
    // The picture is made in the first sweep.
    ...(sweep === 0 ? { thumbnail: thumbnailOf(work, grid) } : {}),
  };
}

export function shardOf(
  plan: WorkPlan,
  sweep: number,
  shard: number,
): { readonly start: number; readonly end: number } {
  const range = plan.sweeps[sweep]?.shards[shard];
  if (range === undefined) throw new RangeError(`The plan has no shard ${shard} of sweep ${sweep}.`);
  return range;
}

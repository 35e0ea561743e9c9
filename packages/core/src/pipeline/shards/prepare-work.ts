import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Precision } from "../../engine/engine.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { estimatedSpeed } from "../tiles/tile-cost.ts";
import type { ImageWork } from "../image-work.ts";
import type { PlannedRun, TilePlan } from "../plan-runs.ts";
import { planTiles, plannedTiles } from "../plan-tiles.ts";
import { divideWork } from "./divide-work.ts";
import { isDivided } from "./plan-shards.ts";
import type { ShardLimits } from "./plan-shards.ts";
import { measureSpeed } from "./measure-speed.ts";
import type { ShardStore } from "./shard-store.ts";
import { encodeWorkPlan, parseWorkPlan, planName } from "./work-plan.ts";
import type { WorkPlan } from "./work-plan.ts";

/** Where the parts of an image rest, and how large they are. */
export interface ShardPlace {
  /** Outlives the process. */
  readonly kept: ShardStore;
  /** Goes with the process, for images that are done sooner than their parts would be kept. */
  readonly fleeting: ShardStore;
  /** What takes less than this is not worth keeping. */
  readonly keepSeconds: number;
  /** Whether somebody may have begun the image already. */
  readonly begun: boolean;
  readonly limits: ShardLimits;
  /** Whether others compute shards where there are several: then their size follows a measured speed. */
  readonly distribute: boolean;
  /** Of another engine: its plan is gone on with, never made here, and nothing of it is computed here. */
  readonly foreign: boolean;
}

/** All that computing some runs of an image needs. */
export interface PreparedWork {
  readonly tiles: TilePlan;
  readonly plan: WorkPlan;
  readonly store: ShardStore;
  /** Whether others should compute its shards. */
  readonly distributed: boolean;
}

export interface PrepareOptions extends Abortable {
  readonly place: ShardPlace;
  readonly precision: Precision;
  /** The runs that are to be computed when nobody has begun. */
  readonly runs: TilePlan["runs"];
  /** Any run that was asked for, by its id. */
  readonly runOf: (id: string) => PlannedRun;
}

/** Goes on with the plan that is there, or makes one. Of several who make one at once, the first one's is everybody's. */
export async function prepareWork(work: ImageWork, options: PrepareOptions): Promise<PreparedWork> {
  const { place, precision, runs, signal } = options;
  const { kept, fleeting, limits } = place;
  const known = place.begun ? await readPlan(work, options) : undefined;
  if (known !== undefined) return known;
  if (place.foreign) throw foreignWork(work, "its plan is gone");
  const tiles = await planTiles(work, runs, { precision, signal });
  const { joint } = tiles;
  const pixels = pixelsOf(tiles);
  const secondsOf = (speed: number): number => (pixels * joint.sweeps.length) / speed;
  const { engine, speeds } = work.resources;
  const measured = speeds?.of(work.speedKey);
  let pixelsPerSecond = measured ?? estimatedSpeed(joint, { grid: tiles.grid, engine, precision });
  // An estimate is right within a small factor.
  if (place.distribute && measured === undefined && secondsOf(pixelsPerSecond) > place.keepSeconds) {
    pixelsPerSecond = await measureSpeed(work, { tiles, precision, signal });
  }
  const plan = divideWork(work, tiles, { precision, limits, pixelsPerSecond });
  if (secondsOf(pixelsPerSecond) < place.keepSeconds) {
    await fleeting.write(planName(precision), encodeWorkPlan(plan));
    return { tiles, plan, store: fleeting, distributed: false };
  }
  if ((await kept.write(planName(precision), encodeWorkPlan(plan), { signal })) === "exists") {
    const theirs = await readPlan(work, options);
    if (theirs !== undefined) return theirs;
  }
  return { tiles, plan, store: kept, distributed: place.distribute && isDivided(plan.sweeps) };
}

async function readPlan(work: ImageWork, options: PrepareOptions): Promise<PreparedWork | undefined> {
  const { place, precision, runOf, signal } = options;
  const { kept } = place;
  const bytes = await kept.read(planName(precision), { signal });
  if (bytes === undefined) return undefined;
  const plan = parseWorkPlan(bytes, { uri: `${kept.uri}/${planName(precision)}`, image: work.level });
  const [first, ...rest] = plan.runs.map(runOf);
  if (first === undefined) throw new RangeError("A plan has at least one run.");
  const tiles = plannedTiles(work, [first, ...rest], plan);
  return { tiles, plan, store: kept, distributed: place.foreign || (place.distribute && isDivided(plan.sweeps)) };
}

function pixelsOf({ grid, tissue }: TilePlan): number {
  return tissue.tiles.length * grid.core.width * grid.core.height;
}

/** Why an image must be begun anew, though another engine has begun it. */
export function foreignWork({ image }: ImageWork, why: string): SlidelightError {
  return new SlidelightError(
    "engine-differs",
    `Going on with ${image.uri}: expected work that another engine has begun and that can be finished without it; ${why}. It is begun anew.`,
  );
}

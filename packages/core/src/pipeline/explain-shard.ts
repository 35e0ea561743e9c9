import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { coreOf } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ShardReference } from "./compute-groups.ts";
import type { ExplanationResources, ImageReference } from "./image-work.ts";
import { openWork } from "./open-work.ts";
import { planRuns } from "./plan-runs.ts";
import { plannedTiles } from "./plan-tiles.ts";
import type { ExplanationSettings } from "./settings.ts";
import { computeShards, shardOf } from "./shards/compute-shards.ts";
import { readKnown } from "./shards/known-statistics.ts";
import { openShardObjects } from "./shards/shard-store.ts";
import { makerOf } from "./shards/work-maker.ts";
import { workIdOf, workKey } from "./shards/work-place.ts";
import { parseWorkPlan, planName, shardName } from "./shards/work-plan.ts";
import { stopwatch } from "./stopwatch.ts";
import { makeFolder } from "../io/make-folder.ts";

export interface ExplainShard extends Abortable, ShardReference {
  /** As `advanceImage` names it. */
  readonly work: string;
}

/**
 * Computes one shard of an image that `advanceImage` divided.
 * @returns `known` when nothing was to be done: the shard, or the whole image, is done already, or has failed.
 * @throws {SlidelightError} `engine-differs` when the plan was made for another engine; as `explainImage`.
 */
export async function explainShard(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  { work: id, precision, sweep, shard, signal }: ExplainShard,
): Promise<"computed" | "known"> {
  const store = openShardObjects(resources.output, workKey(id));
  const name = shardName(precision, sweep, shard);
  if ((await store.names(name, { signal })).has(name)) return "known";
  const observe = resources.observe ?? ((): void => undefined);
  await using work = await openWork(image, { settings, resources, observe, signal });
  const asked = await stopwatch(observe)("plan", () => planRuns(work, { signal }));
  const plans = asked.flatMap((plan) => (plan.kind === "run" ? [plan] : []));
  if (plans.every(({ known }) => known !== undefined)) return "known";
  const runs = [...new Set(plans.map(({ id }) => id))];
  const maker = makerOf(resources.engine);
  const own = workIdOf(work, { runs, maker });
  if (own !== id) throw differs(image.uri, resources);
  const { width, height } = work.level;
  observe({ kind: "work-begun", work: id, maker, runs, pixels: width * height });
  const uri = `${store.uri}/${planName(precision)}`;
  const bytes = await store.read(planName(precision), { signal });
  // Whoever finished the image, or gave it up, removed it; if somebody waits all the same, the image is planned anew.
  if (bytes === undefined) return "known";
  const plan = parseWorkPlan(bytes, { uri, image: work.level });
  const [first, ...rest] = plan.runs.map((run) => {
    const planned = plans.find(({ id }) => id === run)?.plan();
    if (planned === undefined) throw differs(image.uri, resources);
    return planned;
  });
  if (first === undefined) throw new RangeError("A plan has at least one run.");
  const tiles = plannedTiles(work, [first, ...rest], plan);
  const { start, end } = shardOf(plan, sweep, shard);
  const cores = plan.sweeps[sweep]?.tiles.slice(start, end).map((tile) => coreOf(plan.grid, tile)) ?? [];
  const pixels = cores.reduce((sum, { width, height }) => sum + width * height, 0);
  observe({ kind: "image-planned", tiles: cores.length, sweeps: 1, pixels });
  await makeFolder(resources.scratch);
  const folder = await mkdtemp(join(resources.scratch, "run-"));
  try {
    const known = await readKnown(store, { precision, sweep, signal });
    await computeShards(work, { tiles, plan, sweep, shards: [shard], known, store, folder, signal });
    return "computed";
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function differs(uri: string, { engine }: ExplanationResources): SlidelightError {
  return new SlidelightError(
    "engine-differs",
    `Computing a shard of ${uri}: expected the engine and the image that its plan was made with, got ${engine.name} ${engine.version} on ${engine.provider}. Give workers with other engines or releases a --queue of their own.`,
  );
}

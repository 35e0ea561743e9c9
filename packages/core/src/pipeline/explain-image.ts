import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { isRetryable } from "../errors/codes.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { commitRun } from "../format/output/commit.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { GiveUpOptions } from "../io/object-store.ts";
import { computeGroups } from "./compute-groups.ts";
import type { ComputedGroup, ShardReference } from "./compute-groups.ts";
import type { ExplanationResources, ImageReference, ImageWork } from "./image-work.ts";
import type { Observe } from "./events.ts";
import { manifestOf } from "./manifest-of.ts";
import { openWork } from "./open-work.ts";
import { planRuns } from "./plan-runs.ts";
import type { PlannedRun, RunPlan } from "./plan-runs.ts";
import type { ExplanationSettings, ExplanationResult } from "./settings.ts";
import { checkpointLimits, leastSharedSeconds } from "./shards/plan-shards.ts";
import type { ShardPlace } from "./shards/prepare-work.ts";
import { openShardFolder, openShardObjects } from "./shards/shard-store.ts";
import { foreignWork } from "./shards/prepare-work.ts";
import { makerOf } from "./shards/work-maker.ts";
import type { WorkMaker } from "./shards/work-maker.ts";
import { forgetWork, workIdOf, workKey } from "./shards/work-place.ts";
import type { ShardLimits } from "./shards/plan-shards.ts";
import { stopwatch, summed } from "./stopwatch.ts";
import { writeResults } from "./write-results.ts";
import type { FinishedRun } from "./write-results.ts";
import { makeFolder } from "../io/make-folder.ts";

/** How an image is shared among workers. */
export interface SharedWork {
  /** How large a shard is; an image of a single one is computed by who asks. */
  readonly limits: ShardLimits;
  /** Whether somebody may have begun the image already. */
  readonly begun: boolean;
  /** What was begun, when it is known. */
  readonly previous?: BegunWork;
}

/** The parts that an image has so far. */
export interface BegunWork {
  /** Names them. */
  readonly work: string;
  readonly maker: WorkMaker;
  /** Whether workers are there that can go on with them. Where none is, and shards are missing, the image is begun anew. */
  readonly awaited: boolean;
}

export type ImageProgress =
  /** One result for each method and target, in that order. */
  | { readonly kind: "explained"; readonly results: readonly ExplanationResult[] }
  /** These shards must be computed by `explainShard` before the image can go on. */
  | {
      readonly kind: "divided";
      readonly work: string;
      /** Who must compute them: parts of an image come from one maker. */
      readonly maker: WorkMaker;
      readonly shards: readonly ShardReference[];
    };

/**
 * Explains one image: one result for each method and target, in that order. A result whose manifest is there already is
 * skipped; one whose method or target does not suit the model, or that could not be written, has failed and leaves the
 * others alone. What was computed before a crash or an abort rests in the folder of parts, and is gone on with.
 * @throws {SlidelightError} For the image, the model or the engine; nothing half-written is visible then. The signal's
 * reason when it is aborted.
 */
export async function explainImage(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  { signal }: Abortable = {},
): Promise<readonly ExplanationResult[]> {
  const progress = await again(() => workOn(image, { settings, resources, signal }));
  if (progress.kind === "explained") return progress.results;
  throw new RangeError("Shards are computed here.");
}

/**
 * Takes an image as far as one worker can: explains it when it is small, else says which shards are missing, and once none is,
 * assembles and commits the results. Everything that it needs to know rests in the output store, so that any worker may go
 * on, any number of times. What another engine has begun is gone on with where only putting it together is left, or where
 * workers with that engine are there for the shards; else it is removed, and the image is begun anew.
 * @throws {SlidelightError} As `explainImage`.
 */
export function advanceImage(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  options: Abortable & { readonly shared: SharedWork },
): Promise<ImageProgress> {
  return again(() => workOn(image, { settings, resources, ...options }));
}

/** Shards that another worker removed, because it had finished the image, or that were damaged: the image is looked at once more. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SlidelightError) || error.code !== "shard-invalid") throw error;
    return work();
  }
}

interface WorkOnOptions extends Abortable {
  readonly settings: ExplanationSettings;
  readonly resources: ExplanationResources;
  readonly shared?: SharedWork;
}

async function workOn(image: ImageReference, options: WorkOnOptions): Promise<ImageProgress> {
  const { settings, resources, shared, signal } = options;
  const startedAt = new Date();
  const { observe, seconds } = summed(resources.observe ?? ((): void => undefined));
  await using work = await openWork(image, { settings, resources, observe, signal });
  const plans = await stopwatch(observe)("plan", () => planRuns(work, { signal }));
  const asked = new Map(plans.flatMap((plan) => (plan.kind === "run" ? [[plan.id, plan] as const] : [])));
  const runs = [...asked.keys()];
  const maker = makerOf(resources.engine);
  const id = workIdOf(work, { runs, maker });
  const previous = shared?.previous;
  const open: OpenImage = { work, plans, asked, shared, startedAt, observe, seconds, signal };
  if (previous !== undefined && previous.work !== id) {
    // The image or its settings have changed where even its maker would name the work otherwise.
    if (workIdOf(work, { runs, maker: previous.maker }) === previous.work) {
      try {
        return await workAs({ id: previous.work, maker: previous.maker, foreign: true }, open);
      } catch (error) {
        if (!(error instanceof SlidelightError) || error.code !== "engine-differs") throw error;
      }
    }
    // Before anything tells of the new work: then nobody would remember this one.
    await forgetWork(resources.output, previous.work);
  }
  return await workAs({ id, maker, foreign: false }, open);
}

interface OpenImage extends Abortable {
  readonly work: ImageWork;
  readonly plans: readonly RunPlan[];
  /** The runs among them, by id. */
  readonly asked: ReadonlyMap<string, Extract<RunPlan, { readonly kind: "run" }>>;
  readonly shared: SharedWork | undefined;
  readonly startedAt: Date;
  readonly observe: Observe;
  readonly seconds: Readonly<Record<string, number>>;
}

interface NamedWork {
  readonly id: string;
  readonly maker: WorkMaker;
  /** Whether the maker is another engine. */
  readonly foreign: boolean;
}

/** @throws {SlidelightError} `engine-differs` when foreign work can't be gone on with. */
async function workAs(named: NamedWork, opened: OpenImage): Promise<ImageProgress> {
  const { id, maker, foreign } = named;
  const { work, plans, asked, shared, startedAt, observe, seconds, signal } = opened;
  const { resources } = work;
  const { width, height } = work.level;
  observe({ kind: "work-begun", work: id, maker, runs: [...asked.keys()], pixels: width * height });
  await makeFolder(resources.scratch);
  const folder = await mkdtemp(join(resources.scratch, "run-"));
  try {
    const place = placeOf(work, { id, foreign, folder, shared });
    const results = new Map<string, ExplanationResult>();
    let kept = place.begun;
    // What is asked for twice is made once.
    const [first, ...rest] = [...asked.values()].filter(({ known }) => known === undefined).map(({ plan }) => plan());
    if (first !== undefined) {
      const runOf = (run: string): PlannedRun => plannedRun(asked.get(run));
      const computed = await computeGroups(work, { place, runs: [first, ...rest], runOf, folder, signal });
      if (computed.kind === "left") {
        if (foreign && shared?.previous?.awaited !== true)
          throw foreignWork(work, "nobody computes its missing shards");
        return { kind: "divided", work: id, maker, shards: computed.shards };
      }
      const { begun } = place;
      // A queue gives an image to one worker; on one machine another process may be at it.
      const giveUp = shared === undefined ? {} : { olderThanMs: 0 };
      const options = { begun, giveUp, folder, startedAt, seconds, maker, signal };
      const made = await writeGroups(work, computed.groups, options);
      for (const [run, result] of made) results.set(run, result);
      kept ||= computed.kept;
    }
    // What failed for a reason that may pass goes on from the parts; else nothing needs them any more.
    const all = resultsOf(plans, results);
    const over = all.every((result) => result.status !== "failed" || !isRetryable(result.error.code));
    if (over && kept) await place.kept.clear();
    return { kind: "explained", results: all };
  } catch (error) {
    if (resources.leaving?.aborted !== true) await clearIfDone(work, id, shared).catch(() => undefined);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Of a worker that lost its job, another one may have finished the image, and removed its parts, before this one added some.
 */
async function clearIfDone(work: ImageWork, id: string, shared: SharedWork | undefined): Promise<void> {
  if (shared === undefined) return;
  const plans = await planRuns(work);
  const done = plans.every((plan) => plan.kind === "unsuitable" || plan.known !== undefined);
  if (done) await forgetWork(work.resources.output, id);
}

function plannedRun(plan: Extract<RunPlan, { readonly kind: "run" }> | undefined): PlannedRun {
  if (plan === undefined)
    throw new RangeError("A plan names runs that were not asked for, though its name says otherwise.");
  return plan.plan();
}

function resultsOf(
  plans: readonly RunPlan[],
  made: ReadonlyMap<string, ExplanationResult>,
): readonly ExplanationResult[] {
  const told = new Set<string>();
  return plans.map((plan): ExplanationResult => {
    if (plan.kind === "unsuitable") return plan.result;
    const result = plan.known ?? made.get(plan.id);
    if (result === undefined) throw new RangeError("A run was planned, but neither done nor failed.");
    const again = told.has(plan.id);
    told.add(plan.id);
    return again && result.status === "done" ? { ...result, status: "skipped" } : result;
  });
}

interface PlaceOptions extends Pick<NamedWork, "id" | "foreign"> {
  readonly folder: string;
  readonly shared: SharedWork | undefined;
}

function placeOf({ resources }: ImageWork, { id, foreign, folder, shared }: PlaceOptions): ShardPlace {
  const fleeting = openShardFolder(join(folder, "parts"));
  if (shared !== undefined) {
    const kept = openShardObjects(resources.output, workKey(id));
    const { limits } = shared;
    const begun = shared.begun || foreign;
    return { kept, fleeting, keepSeconds: leastSharedSeconds(limits), begun, limits, distribute: true, foreign };
  }
  const kept = openShardFolder(join(resources.parts ?? resources.scratch, `work-${id}`));
  return { kept, fleeting, keepSeconds: 0, begun: true, limits: checkpointLimits, distribute: false, foreign };
}

interface WriteOptions extends Abortable {
  /** Whether somebody may have been killed while the same results were written. */
  readonly begun: boolean;
  readonly giveUp: GiveUpOptions;
  readonly folder: string;
  readonly startedAt: Date;
  /** Time of each stage so far. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Of the tiles. */
  readonly maker: WorkMaker;
}

/** Writes and commits runs whose tiles are all computed. @returns By run id. */
async function writeGroups(
  work: ImageWork,
  groups: readonly ComputedGroup[],
  { begun, giveUp, folder, startedAt, seconds, maker, signal }: WriteOptions,
): Promise<ReadonlyMap<string, ExplanationResult>> {
  const { resources } = work;
  const timed = stopwatch(work.observe);
  const results = new Map<string, ExplanationResult>();
  for (const group of groups) {
    for (const { run, outcome, scale, tiles } of group.runs) {
      const { method, target, id, key, output } = run;
      const precision = group.choices.get(id);
      if (precision === undefined) throw new RangeError("Every run has a precision.");
      try {
        const finished: FinishedRun = { ...work, ...group, ...run, precision, outcome, scale };
        const written = join(folder, id);
        const outputs = await timed("assemble", () =>
          writeResults(finished, { folder: written, tiles, thumbnail: group.thumbnail }, { signal }),
        );
        const manifest = manifestOf(finished, {
          outputs,
          startedAt,
          seconds: { ...seconds, total: (Date.now() - startedAt.getTime()) / 1000 },
          maker,
        });
        if (begun) await resources.output.giveUpWrites(`${key}/`, { ...giveUp, signal });
        await timed("commit", () => commitRun({ store: resources.output, key, folder: written, manifest, signal }));
        for (const { bytes } of manifest.outputs) work.observe({ kind: "bytes-written", bytes });
        results.set(id, { status: "done", runId: id, method, target: outcome.target.label, output });
      } catch (error) {
        if (signal?.aborted === true || !(error instanceof SlidelightError)) throw error;
        results.set(id, { status: "failed", method, target, error });
      }
    }
  }
  return results;
}

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { openImage } from "../format/images/open-image.ts";
import { levelForResolution } from "../format/images/choose-level.ts";
import type { ImageLevel, SlideImage } from "../format/image.ts";
import { commitRun, describeOutputs } from "../format/output/commit.ts";
import { openFinisher } from "../format/output/finish.ts";
import type { Abortable } from "../io/byte-source.ts";
import { observed } from "../io/observed.ts";
import { networkFor } from "../model/network.ts";
import { computeGroups } from "./compute-groups.ts";
import type { ExplanationResources, ImageReference, ImageWork } from "./image-work.ts";
import { manifestOf } from "./manifest-of.ts";
import { planRuns } from "./plan-runs.ts";
import type { PlannedRun } from "./plan-runs.ts";
import { openProgramCache } from "./program-cache.ts";
import type { ExplanationResult, ExplanationSettings } from "./settings.ts";
import { stopwatch, summed } from "./stopwatch.ts";
import { writeResults } from "./write-results.ts";
import type { FinishedRun } from "./write-results.ts";

/**
 * Explains one image: one result for each method and target, in that order. A result whose manifest is there already is
 * skipped; one whose method or target does not suit the model, or that could not be written, has failed and leaves the
 * others alone.
 * @throws {SlidelightError} For the image, the model or the engine; nothing half-written is visible then. The signal's
 * reason when it is aborted.
 */
export async function explainImage(
  image: ImageReference,
  settings: ExplanationSettings,
  resources: ExplanationResources,
  { signal }: Abortable = {},
): Promise<readonly ExplanationResult[]> {
  const startedAt = new Date();
  const { observe, seconds } = summed(resources.observe ?? ((): void => undefined));
  const timed = stopwatch(observe);
  await using slide = await timed("open", async () => {
    const source = observed(await image.open({ signal }), (bytes) => observe({ kind: "bytes-read", bytes }));
    return openImage(image.uri, source, {
      scratch: resources.scratch,
      signal,
      ...(resources.limits === undefined ? {} : { limits: resources.limits }),
    });
  });
  await using ownPrograms = resources.programs === undefined ? openProgramCache(resources.engine) : undefined;
  const programs = resources.programs ?? ownPrograms;
  if (programs === undefined) throw new RangeError("A program cache was just opened.");
  const level = chooseLevel(slide, settings);
  const mean = settings.mean ?? resources.model.mean ?? ([0, 0, 0] as const);
  const std = settings.std ?? resources.model.std ?? ([1, 1, 1] as const);
  const network = networkFor(resources.model, level, { samples: slide.samples, mean, std });
  const work: ImageWork = { image, settings, resources, slide, level, network, mean, std, programs, observe };

  const plans = await planRuns(work);
  // What is asked for twice is made once.
  const asked = new Map(plans.flatMap((plan) => (plan.kind === "run" ? [[plan.run.id, plan.run] as const] : [])));
  const results = new Map<string, ExplanationResult>();
  const [first, ...rest] = asked.values();
  if (first !== undefined) {
    const made = await makeRuns(work, [first, ...rest], { startedAt, seconds, signal });
    for (const [id, result] of made) results.set(id, result);
  }
  const told = new Set<string>();
  return plans.map((plan): ExplanationResult => {
    if (plan.kind === "known") return plan.result;
    const result = results.get(plan.run.id);
    if (result === undefined) throw new RangeError("A run was planned, but neither done nor failed.");
    const again = told.has(plan.run.id);
    told.add(plan.run.id);
    return again && result.status === "done" ? { ...result, status: "skipped" } : result;
  });
}

interface MakeOptions extends Abortable {
  readonly startedAt: Date;
  /** Time of each stage so far. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Computes, writes and commits runs. @returns By run id. */
async function makeRuns(
  work: ImageWork,
  runs: readonly [PlannedRun, ...PlannedRun[]],
  { startedAt, seconds, signal }: MakeOptions,
): Promise<ReadonlyMap<string, ExplanationResult>> {
  const { resources } = work;
  const timed = stopwatch(work.observe);
  await mkdir(resources.scratch, { recursive: true });
  const folder = await mkdtemp(join(resources.scratch, "run-"));
  await using ownFinisher = resources.finisher === undefined ? openFinisher() : undefined;
  const finisher = resources.finisher ?? ownFinisher;
  if (finisher === undefined) throw new RangeError("A finisher was just opened.");
  try {
    const results = new Map<string, ExplanationResult>();
    for (const group of await computeGroups(work, runs, { folder, signal })) {
      for (const { run, outcome, scale, tiles } of group.runs) {
        const { method, target, id, key, output } = run;
        const precision = group.choices.get(id);
        if (precision === undefined) throw new RangeError("Every run has a precision.");
        try {
          const finished: FinishedRun = { ...work, ...group, ...run, precision, outcome, scale };
          const written = join(folder, id);
          await timed("assemble", () =>
            writeResults(finished, { folder: written, finisher, tiles, thumbnail: group.thumbnail }, { signal }),
          );
          const manifest = manifestOf(finished, {
            outputs: await describeOutputs(written),
            startedAt,
            seconds: { ...seconds, total: (Date.now() - startedAt.getTime()) / 1000 },
          });
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
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function chooseLevel(slide: SlideImage, settings: ExplanationSettings): ImageLevel {
  const index =
    settings.micronsPerPixel === undefined
      ? (settings.level ?? 0)
      : levelForResolution(slide, settings.micronsPerPixel);
  const level = slide.levels[index];
  if (level !== undefined) return level;
  throw new SlidelightError(
    "usage",
    `Choosing level ${settings.level} of ${slide.uri}: expected 0 to ${slide.levels.length - 1}, the image has ${slide.levels.length} level${slide.levels.length === 1 ? "" : "s"}.`,
  );
}

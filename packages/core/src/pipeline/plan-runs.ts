import { attempt } from "../errors/attempt.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { classNames } from "../explain/classes.ts";
import type { Explanation } from "../explain/explanation.ts";
import { joinExplanations } from "../explain/join.ts";
import type { JointExplanation } from "../explain/join.ts";
import type { MethodName } from "../explain/methods/index.ts";
import { planExplanation } from "../explain/plan.ts";
import { parseTarget } from "../explain/target.ts";
import type { PlanOptions } from "../explain/draft.ts";
import { readManifest } from "../format/output/commit.ts";
import type { Manifest } from "../format/output/manifest.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { ObjectStore } from "../io/object-store.ts";
import type { ImageWork } from "./image-work.ts";
import { runId } from "./run-id.ts";
import type { ExplanationResult } from "./settings.ts";
import type { TissueMask } from "./tiles/tissue.ts";

/** One method and target on an image that is still to be computed. */
export interface PlannedRun {
  readonly method: MethodName;
  /** As the user gave it. */
  readonly target: string;
  readonly id: string;
  /** Where its outputs go, below the store's root. */
  readonly key: string;
  /** The same, to print. */
  readonly output: string;
  readonly classes: readonly string[];
  readonly options: PlanOptions;
  readonly explanation: Explanation;
}

/**
 * For each method and target, in this order: a run with its id, and what is known of it when its manifest is there already,
 * which has failed where that is damaged; or why there can be none.
 */
export type RunPlan =
  | { readonly kind: "run"; readonly id: string; readonly known?: ExplanationResult; readonly plan: () => PlannedRun }
  | { readonly kind: "unsuitable"; readonly result: ExplanationResult };

/**
 * What is asked of an image: results that are there are known, what does not suit the model has failed.
 * @throws {SlidelightError} Where the store can't say whether a result is there: that is no answer, and nothing may be concluded from it.
 */
export async function planRuns(work: ImageWork, { signal }: Abortable = {}): Promise<readonly RunPlan[]> {
  const plans: RunPlan[] = [];
  for (const method of work.settings.methods) {
    for (const target of work.settings.targets) plans.push(await planRun(work, { method, text: target, signal }));
  }
  return plans;
}

interface AskedRun extends Abortable {
  readonly method: MethodName;
  /** The target, as it was given. */
  readonly text: string;
}

async function planRun(work: ImageWork, { method, text, signal }: AskedRun): Promise<RunPlan> {
  const { settings, resources, slide, level, network } = work;
  const unsuitable = (error: SlidelightError): RunPlan => ({
    kind: "unsuitable",
    result: { status: "failed", method, target: text, error },
  });
  const classes = classNames(network.head.classes, resources.model.classes);
  const target = attempt(() => parseTarget(text, classes));
  if (target instanceof SlidelightError) return unsuitable(target);
  const options = { method, target, classes, ...(settings.layer === undefined ? {} : { layer: settings.layer }) };
  const id = runId({ image: slide, model: resources.model, settings, level: level.index, method, target: text });
  const key = `${work.image.key}/${id}`;
  const output = `${resources.output.uri}/${key}`;
  const plan = (): PlannedRun => {
    const explanation = planExplanation(network, options);
    return { method, target: text, id, key, output, classes, options, explanation };
  };
  const known = await knownManifest(resources.output, key, signal);
  if (known instanceof SlidelightError) {
    // It stays so until somebody removes the manifest.
    return { kind: "run", id, known: { status: "failed", method, target: text, error: known }, plan };
  }
  if (known !== undefined) {
    const result = { status: "skipped", runId: id, method, target: known.target, output } as const;
    return { kind: "run", id, known: result, plan };
  }
  // What does not suit is found out now.
  const run = attempt(plan);
  return run instanceof SlidelightError ? unsuitable(run) : { kind: "run", id, plan: () => run };
}

/** A run's manifest; what is wrong with it where it is damaged; `undefined` where there is none. */
async function knownManifest(
  store: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Manifest | SlidelightError | undefined> {
  try {
    return await readManifest(store, key, { signal });
  } catch (error) {
    if (error instanceof SlidelightError && error.code === "job-invalid") return error;
    throw error;
  }
}

/** Which tiles an image is computed in, and the runs' plans for just these tiles. */
export interface TilePlan {
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
  readonly runs: readonly [PlannedRun, ...PlannedRun[]];
  /** All runs in the same visits to the tiles. */
  readonly joint: JointExplanation;
}

/** What computes all runs in the same visits to the tiles. */
export function jointOf([first, ...rest]: TilePlan["runs"]): JointExplanation {
  return joinExplanations([first.explanation, ...rest.map(({ explanation }) => explanation)]);
}

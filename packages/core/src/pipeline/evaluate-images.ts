import { SlidelightError } from "../errors/slidelight-error.ts";
import { openClassScorer } from "../evaluate/class-scores.ts";
import type { ClassScores } from "../evaluate/class-scores.ts";
import { openMapScorer } from "../evaluate/map-scores.ts";
import type { MapScores, MapScorer } from "../evaluate/map-scores.ts";
import { areaUnderCurve, blurred, meanColour, replacedStepwise } from "../evaluate/perturbation.ts";
import { randomisedModel } from "../evaluate/randomised-model.ts";
import { rankCorrelation } from "../evaluate/rank-correlation.ts";
import { relevanceOrder } from "../evaluate/relevance-order.ts";
import { emptyMean, meanOf, withValue } from "../evaluate/running-mean.ts";
import type { RunningMean } from "../evaluate/running-mean.ts";
import type { MethodName } from "../explain/methods/index.ts";
import type { PlanOptions } from "../explain/draft.ts";
import type { Outcome } from "../explain/explanation.ts";
import type { Pixels } from "../format/image.ts";
import type { Abortable } from "../io/byte-source.ts";
import { openPixelExplainer } from "./explain-pixels.ts";
import type { PixelExplainer, PixelResources } from "./explain-pixels.ts";

/** Names of what maps of an evaluation may explain. */
export const explainedTargets = ["label", "contrast", "top1"] as const;
export type ExplainedTarget = (typeof explainedTargets)[number];

export interface EvaluationSettings {
  readonly methods: readonly [MethodName, ...MethodName[]];
  /** Those whose values are judged without their sign: gradients point either way at what matters. */
  readonly magnitude: readonly MethodName[];
  readonly classes: readonly string[];
  /** What maps explain: the class that an image is, that class against the mean of the others, or the one that the model takes it for. */
  readonly target: ExplainedTarget;
  /** Steps in which pixels are inserted and deleted. */
  readonly steps: number;
  /** Shares of the model's layers, from the scores back, that are randomised to see whether maps change. */
  readonly randomised: readonly number[];
  readonly seed: number;
}

export interface EvaluatedImage {
  readonly pixels: Pixels;
  /** Index of its class. */
  readonly label: number;
  /** One byte for each pixel, not 0 on the evidence; absent where it has none. */
  readonly mask?: Uint8Array;
  /** Whether it is one of those that insertion, deletion and randomisation are tried on. */
  readonly sampled: boolean;
}

export interface ImageEvaluation {
  readonly probabilities: Float64Array;
  readonly predicted: number;
  /** Index of the class that was explained. */
  readonly explained: number;
  /** In the order of the methods; empty where no map was needed: without evidence in an image that is not sampled. */
  readonly maps: readonly Float32Array[];
  readonly hasEvidence: boolean;
}

export interface RandomisedScore {
  readonly share: number;
  /** Mean of Spearman's correlation of maps with those of the randomised model; NaN without images. */
  readonly correlation: number;
  /** Images in which either map is the same everywhere, which have no correlation. */
  readonly constant: number;
}

export interface MethodEvaluation extends MapScores {
  readonly method: MethodName;
  readonly reading: "value" | "magnitude";
  readonly insertion: number;
  readonly deletion: number;
  readonly randomised: readonly RandomisedScore[];
}

export interface EvaluationResult extends ClassScores {
  readonly images: {
    readonly all: number;
    readonly withEvidence: number;
    readonly sampled: number;
  };
  /** What a map scores that is the same everywhere, and positive. */
  readonly constantMap: MapScores;
  readonly methods: readonly MethodEvaluation[];
}

/** A model's judgement on images that pass one by one; what is kept does not grow with their number. */
export interface Evaluation {
  /** @throws {SlidelightError} `model-shape`, `model-overflow` when the model can't take this image; others as `explainPixels`. */
  add(image: EvaluatedImage, options?: Abortable): Promise<ImageEvaluation>;
  result(): EvaluationResult;
}

interface MethodTally {
  readonly method: MethodName;
  readonly reading: "value" | "magnitude";
  readonly scorer: MapScorer;
  insertion: RunningMean;
  deletion: RunningMean;
  readonly randomised: { readonly share: number; mean: RunningMean; constant: number }[];
}

export function openEvaluation(settings: EvaluationSettings, resources: PixelResources): Evaluation {
  const { methods, classes, target, randomised, seed, steps } = settings;
  const explainer = openPixelExplainer(resources);
  const strangers = randomised.map((share) =>
    openPixelExplainer({ ...resources, model: randomisedModel(resources.model, { seed, share }) }),
  );
  const scorer = openClassScorer(classes.length);
  const constant = openMapScorer();
  const counts = { all: 0, withEvidence: 0, sampled: 0 };
  const tallies = methods.map((method): MethodTally => {
    return {
      method,
      reading: settings.magnitude.includes(method) ? "magnitude" : "value",
      scorer: openMapScorer(),
      insertion: emptyMean,
      deletion: emptyMean,
      randomised: randomised.map((share) => ({ share, mean: emptyMean, constant: 0 })),
    };
  });
  const asked = (index: number): readonly [PlanOptions, ...PlanOptions[]] => {
    const [first, ...rest] = methods;
    const kind = target === "contrast" ? "contrast" : "class";
    const of = (method: MethodName): PlanOptions => ({ method, target: { kind, index }, classes });
    return [of(first), ...rest.map(of)];
  };
  return {
    add: async (image, options = {}) => {
      const { pixels, label, mask, sampled } = image;
      const { logits, probabilities, target: top } = await explainer.classify(pixels, classes, options);
      checkScores(logits);
      const explained = target === "top1" ? top.index : label;
      const evidence = mask?.some((value) => value !== 0) === true ? mask : undefined;
      const needed = evidence !== undefined || sampled;
      const found = needed ? await explainer.explain(pixels, asked(explained), options) : [];
      const maps = found.map(({ map }) => map);
      const judged = maps.map((map, index) => readAs(at(tallies, index).reading, map));
      const tried = { explainer, classes, explained, steps, ...options };
      const areas = sampled ? await perturb(pixels, judged, tried) : [];
      const strange: (readonly Float32Array[])[] = [];
      for (const stranger of sampled ? strangers : []) {
        const explanations = await stranger.explain(pixels, asked(explained), options);
        strange.push(explanations.map(({ map }, index) => readAs(at(tallies, index).reading, map)));
      }
      // Nothing of an image that fails is counted: from here on nothing does.
      scorer.add(logits, label);
      counts.all += 1;
      counts.withEvidence += evidence === undefined ? 0 : 1;
      counts.sampled += sampled ? 1 : 0;
      if (evidence !== undefined) {
        constant.add(new Float32Array(evidence.length).fill(1), evidence);
        for (const [index, tally] of tallies.entries()) tally.scorer.add(at(judged, index), evidence);
      }
      for (const [index, { insertion, deletion }] of areas.entries()) {
        const tally = at(tallies, index);
        tally.insertion = withValue(tally.insertion, insertion);
        tally.deletion = withValue(tally.deletion, deletion);
      }
      for (const [stage, strangeMaps] of strange.entries()) {
        for (const [index, strangeMap] of strangeMaps.entries()) {
          const score = at(at(tallies, index).randomised, stage);
          const correlation = rankCorrelation(at(judged, index), strangeMap);
          if (correlation === undefined) score.constant += 1;
          else score.mean = withValue(score.mean, correlation);
        }
      }
      return { probabilities, predicted: top.index, explained, maps, hasEvidence: evidence !== undefined };
    },
    result: () => ({
      ...scorer.result(),
      images: { ...counts },
      constantMap: constant.result(),
      methods: tallies.map((tally) => ({
        method: tally.method,
        reading: tally.reading,
        ...tally.scorer.result(),
        insertion: meanOf(tally.insertion),
        deletion: meanOf(tally.deletion),
        randomised: tally.randomised.map(({ share, mean, constant: same }) => {
          return { share, correlation: meanOf(mean), constant: same };
        }),
      })),
    }),
  };
}

function checkScores(logits: Float64Array): void {
  if (logits.every((logit) => Number.isFinite(logit))) return;
  throw new SlidelightError(
    "model-overflow",
    `Classifying an image: expected finite scores, got ${logits.join(", ")}. The network overflows on this image: check its weights and pre-processing (--mean, --std).`,
  );
}

function readAs(reading: MethodTally["reading"], map: Float32Array): Float32Array {
  return reading === "magnitude" ? map.map(Math.abs) : map;
}

interface Perturbation extends Abortable {
  readonly explainer: PixelExplainer;
  readonly classes: readonly string[];
  readonly explained: number;
  readonly steps: number;
}

/** Areas under the curves of the explained class' probability. */
interface PerturbationAreas {
  readonly insertion: number;
  readonly deletion: number;
}

/** Insertion and deletion by each of the maps. */
async function perturb(
  pixels: Pixels,
  maps: readonly Float32Array[],
  run: Perturbation,
): Promise<readonly PerturbationAreas[]> {
  const { explainer, classes, explained, steps, signal } = run;
  const [soft, grey] = [blurred(pixels), meanColour(pixels)];
  const area = async (from: Pixels, to: Pixels, order: Uint32Array): Promise<number> => {
    const curve: number[] = [];
    for (const image of replacedStepwise(from, to, { order, steps })) {
      const { probabilities }: Outcome = await explainer.classify(image, classes, { signal });
      curve.push(probabilities[explained] ?? Number.NaN);
    }
    return areaUnderCurve(curve);
  };
  const areas: PerturbationAreas[] = [];
  for (const map of maps) {
    const order = relevanceOrder(map);
    areas.push({ insertion: await area(soft, pixels, order), deletion: await area(pixels, grey, order) });
  }
  return areas;
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}

import type { Engine } from "../engine/engine.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { elementsOf } from "../graph/tensor.ts";
import type { Abortable } from "../io/byte-source.ts";
import { readAhead } from "../pipeline/read-ahead.ts";
import { epochBatches, trainingBatch, turnedImages, validationPixels } from "./batches.ts";
import type { LabelledImages } from "./batches.ts";
import { powerName } from "./parameters.ts";
import { noSums } from "./progress.ts";
import type { BestEpoch, Confusion, EpochRecord, TrainingProgress } from "./progress.ts";
import { mapShareAt, rateAt } from "./schedule.ts";
import { accuracyOf, confusionOf, predictions, weightedLoss } from "./scores.ts";
import type { TrainingSettings } from "./settings.ts";
import { stratifiedSplit } from "./split.ts";
import type { DataSplit } from "./split.ts";
import { initialTraining, openTrainer } from "./trainer.ts";
import type { StepResult, Trainer } from "./trainer.ts";

export type TrainingEvent =
  | {
      readonly kind: "step";
      /** From 1. */
      readonly epoch: number;
      /** Images seen in this epoch, and of how many. */
      readonly images: number;
      readonly epochImages: number;
      /** Means over the epoch so far. */
      readonly loss: number;
      readonly accuracy: number;
    }
  | { readonly kind: "validating"; readonly epoch: number }
  | { readonly kind: "epoch"; readonly record: EpochRecord; readonly best: boolean };

export interface TrainingResources extends Abortable {
  readonly engine: Engine;
  /** Where to go on; from the beginning when absent. */
  readonly from?: TrainingProgress;
  /** Keeps what was reached: after each epoch, after every `saveSteps` steps of a long one, and when the signal aborts. */
  save(progress: TrainingProgress): Promise<void>;
  readonly saveSteps: number;
  observe(event: TrainingEvent): void;
}

export interface Trained {
  readonly history: readonly EpochRecord[];
  readonly best: BestEpoch;
  /** Whether `patience` ended it before its last epoch. */
  readonly stoppedEarly: boolean;
  readonly split: DataSplit;
}

/** Batches that are decoded before they are asked for. */
const batchesAhead = 3;

/**
 * Trains from images with a label each. The same images, settings and engine give the same network, byte for byte, however
 * often training was interrupted and went on from what it had saved.
 * @throws {SlidelightError} `training-diverged`: what was saved last is good. What reading an image or saving throws.
 */
export async function trainNetwork(
  images: LabelledImages,
  settings: TrainingSettings,
  resources: TrainingResources,
): Promise<Trained> {
  const { engine, from, signal } = resources;
  const { network, views, mean, std, stains, epochs, patience } = settings;
  const split =
    images.split ?? stratifiedSplit(images.labels, { share: settings.validationShare, seed: settings.seed });
  const batchImages = Math.min(settings.batchImages, split.training.length);
  if (batchImages === 0) throw new RangeError("Training needs an image.");
  const turned = turnedImages(network, batchImages);
  const viewsOfStep = batchImages + turned;
  const batch = { images: viewsOfStep, side: views.side, mean, std, recoloured: stains > 0, turned };
  await using trainer = await openTrainer(network, { engine, batch, signal });
  const run: Run = { images, settings, resources, split, batchImages, viewsOfStep, trainer };
  let progress = from ?? { epochs: 0, steps: 0, sums: noSums, state: initialTraining(network), history: [] };
  let stoppedEarly = isOver(progress, patience);
  if (from === undefined) await resources.save(progress);
  while (progress.epochs < epochs && !stoppedEarly) {
    progress = await finishedEpoch(run, await trainedEpoch(run, progress));
    stoppedEarly = isOver(progress, patience);
    await resources.save(progress);
  }
  const { history, best } = progress;
  if (best === undefined) throw new RangeError("Training needs an epoch.");
  return { history, best, stoppedEarly: stoppedEarly && progress.epochs < epochs, split };
}

function isOver({ epochs, best }: TrainingProgress, patience: number): boolean {
  return patience > 0 && best !== undefined && epochs - best.epoch >= patience;
}

interface Run {
  readonly images: LabelledImages;
  readonly settings: TrainingSettings;
  readonly resources: TrainingResources;
  readonly split: DataSplit;
  readonly batchImages: number;
  /** What the programs take at once: the images of a step, and those that are seen twice again. */
  readonly viewsOfStep: number;
  readonly trainer: Trainer;
}

/** All steps of the epoch that is under way. */
async function trainedEpoch(run: Run, begun: TrainingProgress): Promise<TrainingProgress> {
  const { images, settings, resources, split, batchImages, trainer } = run;
  const { signal } = resources;
  const { seed, optimiser, schedule } = settings;
  const epoch = begun.epochs + 1;
  const batches = epochBatches(split.training, { seed, epoch, batchImages });
  const total = batches.length * settings.epochs;
  const rates = {
    kind: schedule.kind,
    rate: schedule.rate,
    warmUpSteps: Math.round(schedule.warmUp * total),
    steps: total,
  };
  const ahead = readAhead(batches.slice(begun.steps), {
    depth: batchesAhead,
    start: async (indices) => ({ indices, batch: await trainingBatch(images, indices, { settings, epoch, signal }) }),
  });
  let progress = begun;
  try {
    for await (const { indices, batch } of ahead) {
      const step = begun.epochs * batches.length + progress.steps;
      const rate = rateAt(rates, step);
      const mapShare = mapShareAt(step, schedule.mapWarmUp * total);
      const result = await trainer.step(progress.state, batch, { optimiser, rate, mapShare, signal });
      const labels = indices.map((index) => images.labels[index] ?? 0);
      progress = advanced(progress, result, { labels, classes: settings.network.unet.classes });
      const { sums } = progress;
      resources.observe({
        kind: "step",
        epoch,
        images: sums.images,
        epochImages: batches.length * batchImages,
        loss: sums.loss / sums.images,
        accuracy: sums.correct / sums.images,
      });
      if (progress.steps % resources.saveSteps === 0) await resources.save(progress);
    }
  } catch (error) {
    if (signal?.aborted === true) await resources.save(progress);
    throw error;
  }
  return progress;
}

function advanced(
  progress: TrainingProgress,
  { state, loss, encoderLoss = 0, logits }: StepResult,
  { labels, classes }: { readonly labels: readonly number[]; readonly classes: number },
): TrainingProgress {
  const { sums } = progress;
  const found = predictions({ logits, labels, classes });
  return {
    ...progress,
    steps: progress.steps + 1,
    state,
    sums: {
      loss: sums.loss + loss * labels.length,
      encoderLoss: sums.encoderLoss + encoderLoss * labels.length,
      correct: sums.correct + labels.filter((label, image) => label === found[image]).length,
      images: sums.images + labels.length,
    },
  };
}

/** The epoch's record, after validation. */
async function finishedEpoch(run: Run, progress: TrainingProgress): Promise<TrainingProgress> {
  const { settings, resources } = run;
  const { sums, state } = progress;
  const epoch = progress.epochs + 1;
  const validated = await validation(run, progress);
  const power = state.parameters[powerName];
  const steps = progress.steps * settings.epochs;
  const { kind, rate, warmUp } = settings.schedule;
  const record: EpochRecord = {
    epoch,
    rate: rateAt({ kind, rate, warmUpSteps: Math.round(warmUp * steps), steps }, epoch * progress.steps - 1),
    loss: sums.loss / sums.images,
    ...(settings.network.encoderLoss > 0 ? { encoderLoss: sums.encoderLoss / sums.images } : {}),
    accuracy: sums.correct / sums.images,
    ...(validated === undefined
      ? {}
      : { validation: { loss: validated.loss, accuracy: accuracyOf(validated.confusion) } }),
    ...(power === undefined ? {} : { power: elementsOf(power)[0] ?? Number.NaN }),
  };
  const lowest = progress.history.find((entry) => entry.epoch === progress.best?.epoch)?.validation?.loss;
  const better = validated === undefined || lowest === undefined || validated.loss < lowest;
  const { parameters, statistics } = state;
  const best: BestEpoch | undefined = better
    ? { epoch, ...(validated === undefined ? {} : { confusion: validated.confusion }), parameters, statistics }
    : progress.best;
  resources.observe({ kind: "epoch", record, best: better });
  return {
    epochs: epoch,
    steps: 0,
    sums: noSums,
    state,
    history: [...progress.history, record],
    ...(best === undefined ? {} : { best }),
  };
}

/** Loss and confusion of the images that were set aside; saves before it throws the signal's reason. */
async function validation(
  { images, settings, resources, split, viewsOfStep, trainer }: Run,
  progress: TrainingProgress,
): Promise<{ readonly loss: number; readonly confusion: Confusion } | undefined> {
  const indices = split.validation;
  if (indices.length === 0) return undefined;
  const { signal } = resources;
  const { side } = settings.views;
  const { classes } = settings.network.unet;
  resources.observe({ kind: "validating", epoch: progress.epochs + 1 });
  const batches = Array.from({ length: Math.ceil(indices.length / viewsOfStep) }, (_, batch) =>
    indices.slice(batch * viewsOfStep, (batch + 1) * viewsOfStep),
  );
  const logits = new Float32Array(indices.length * classes);
  let done = 0;
  try {
    const ahead = readAhead(batches, {
      depth: batchesAhead,
      start: async (batch) => ({
        count: batch.length,
        pixels: await validationPixels(images, batch, { side, batchImages: viewsOfStep, signal }),
      }),
    });
    for await (const { count, pixels } of ahead) {
      const scores = await trainer.score(progress.state, pixels, { signal });
      logits.set(scores.subarray(0, count * classes), done * classes);
      done += count;
    }
  } catch (error) {
    if (signal?.aborted === true) await resources.save(progress);
    throw error;
  }
  const labels = indices.map((index) => images.labels[index] ?? 0);
  const scored = { logits, labels, classes };
  const { loss, weight } = weightedLoss(scored, settings.classWeights);
  if (!Number.isFinite(loss)) {
    throw new SlidelightError(
      "training-diverged",
      `Validating epoch ${progress.epochs + 1}: expected a finite loss, got ${loss}. Try a lower --learning-rate; the running statistics may also need more steps than there are: try more epochs or a smaller --batch.`,
    );
  }
  return { loss: loss / weight, confusion: confusionOf(scored) };
}

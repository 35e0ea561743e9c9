import { balancedWeights, SlidelightError } from "@slidelight/core";
import type { DataSplit, TrainedNetwork, TrainingSettings } from "@slidelight/core";
import type { TrainConfig } from "./config.ts";
import type { LabelledEntry, Part } from "./gather-images.ts";
import type { CheckedImage } from "./read-images.ts";

const largestDefaultCrop = 256;

/**
 * The classes in their order, and the entries that are of one of them.
 * @throws {SlidelightError} `training-data` for fewer than two classes, or one that has no image.
 */
export function chooseClasses(
  entries: readonly LabelledEntry[],
  { wanted, source }: { readonly wanted: readonly string[] | undefined; readonly source: string },
): { readonly classes: readonly string[]; readonly chosen: readonly LabelledEntry[] } {
  const found = [...new Set(entries.map(({ label }) => label))].toSorted();
  const classes = wanted ?? found;
  const missing = classes.filter((name) => !found.includes(name));
  if (missing.length > 0) {
    throw new SlidelightError(
      "training-data",
      `Choosing classes of ${source}: expected images of ${missing.join(", ")}, got none; there are ${found.join(", ")}.`,
    );
  }
  if (classes.length < 2) {
    throw new SlidelightError(
      "training-data",
      `Choosing classes of ${source}: expected two or more, got one ("${classes.join()}"). A classifier tells classes from each other: give images of another one too.`,
    );
  }
  return { classes, chosen: entries.filter(({ label }) => classes.includes(label)) };
}

/** @throws {SlidelightError} `training-data` when a class has no image that can be read. */
export function countClasses(images: readonly CheckedImage[], classes: readonly string[]): readonly number[] {
  const counts = classes.map((name) => images.filter(({ label }) => label === name).length);
  const empty = classes.filter((_, index) => counts[index] === 0);
  if (empty.length === 0) return counts;
  throw new SlidelightError(
    "training-data",
    `Reading the images: expected some of each class that can be read, got none of ${empty.join(", ")}.`,
  );
}

/**
 * What a table says that images are for; `undefined` where it does not.
 * @throws {SlidelightError} `training-data` when no image of a class is for training.
 */
export function splitOf(images: readonly CheckedImage[], classes: readonly string[]): DataSplit | undefined {
  if (images.every(({ part }) => part === undefined)) return undefined;
  const of = (part: Part): readonly number[] => [...images.keys()].filter((index) => images[index]?.part === part);
  const training = of("training");
  const missing = classes.filter((name) => !training.some((index) => images[index]?.label === name));
  if (missing.length === 0) return { training, validation: of("validation") };
  throw new SlidelightError(
    "training-data",
    `Splitting the images as the table says: expected images of each class for training, got none of ${missing.join(", ")}.`,
  );
}

/** @throws {SlidelightError} `training-data` for class weights that do not name the classes. */
export function planTraining(
  config: TrainConfig,
  { images, classes }: { readonly images: readonly CheckedImage[]; readonly classes: readonly string[] },
): TrainingSettings {
  const { crop, crops, flips, rotations, batch, epochs, patience, mean, std, stains, seed } = config;
  const { schedule, warmUp, mapWarmUp } = config;
  return {
    network: networkOf(config, classes.length),
    mean,
    std,
    views: { side: crop ?? defaultCrop(images, config.depth), crops, flips, rotations },
    stains,
    batchImages: batch,
    epochs,
    patience,
    optimiser: { kind: config.optimiser, weightDecay: config.weightDecay },
    schedule: { kind: schedule, rate: config.learningRate, warmUp, mapWarmUp },
    classWeights: weightsOf(config, { images, classes }),
    validationShare: config.validation,
    seed,
  };
}

function networkOf(
  { depth, baseChannels, pool, pooled, upsampling, ...config }: TrainConfig,
  classes: number,
): TrainedNetwork {
  const decoder = config.network === "unet";
  const learnt = pool.kind === "generalised-mean" && pool.learnt;
  const kind = pool.kind === "generalised-mean" ? { kind: pool.kind, power: pool.power } : pool;
  return {
    unet: { depth, baseChannels, decoder, classes, pool: kind, pooled, upsampling, seed: config.seed },
    normalised: config.normalisation === "batch",
    learnsPower: learnt,
    encoderLoss: config.encoderLoss ?? (decoder ? 1 : 0),
    consistency: config.consistency,
    entropy: config.entropy,
    // Where images must not be turned, maps of turned ones mean nothing.
    equivariance: config.equivariance ?? (config.rotations ? 0.3 : 0),
  };
}

/** The median of the shorter sides, so that most images are seen nearly whole, in whole strides. */
function defaultCrop(images: readonly CheckedImage[], depth: number): number {
  const sides = images.map(({ width, height }) => Math.min(width, height)).toSorted((a, b) => a - b);
  const median = sides[sides.length >> 1] ?? largestDefaultCrop;
  const stride = 2 ** depth;
  return Math.max(stride, Math.floor(Math.min(median, largestDefaultCrop) / stride) * stride);
}

function weightsOf(
  { classWeights }: TrainConfig,
  { images, classes }: { readonly images: readonly CheckedImage[]; readonly classes: readonly string[] },
): readonly number[] {
  if (classWeights === "none") return classes.map(() => 1);
  if (classWeights === "balanced") {
    return balancedWeights(
      images.map(({ label }) => classes.indexOf(label)),
      classes.length,
    );
  }
  const unknown = Object.keys(classWeights).filter((name) => !classes.includes(name));
  const missing = classes.filter((name) => !Object.hasOwn(classWeights, name));
  if (unknown.length > 0 || missing.length > 0) {
    throw new SlidelightError(
      "training-data",
      `Weighting the classes: expected a weight for each of ${classes.join(", ")}, got ${Object.keys(classWeights).join(", ")}. Name them all in --class-weights.`,
    );
  }
  return classes.map((name) => classWeights[name] ?? 1);
}

/** The median of what the images say, where all of them do. */
export function resolutionOf(images: readonly CheckedImage[]): number | undefined {
  const known = images.flatMap(({ micronsPerPixel }) => (micronsPerPixel === undefined ? [] : [micronsPerPixel]));
  return known.length === images.length ? known.toSorted((a, b) => a - b)[known.length >> 1] : undefined;
}

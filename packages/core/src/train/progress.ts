import type { Parameters } from "../model/unet.ts";
import type { TrainingState } from "./trainer.ts";

/** What an epoch came to. Losses are means over images, weighted by class; accuracies are shares of images. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Learning rate of its last step. */
  readonly rate: number;
  readonly loss: number;
  readonly encoderLoss?: number;
  /** Of the training images as they were seen: changed, and normalised by their batches. */
  readonly accuracy: number;
  /** Of the images that were set aside, by the network as it would be used. Absent without any. */
  readonly validation?: { readonly loss: number; readonly accuracy: number };
  /** The learnt power of the generalised mean. */
  readonly power?: number;
}

/** What validation found: how often an image of class `row` was taken for class `column`. */
export type Confusion = readonly (readonly number[])[];

/** The best network so far: that of the lowest validation loss; without validation the latest. */
export interface BestEpoch {
  readonly epoch: number;
  readonly confusion?: Confusion;
  readonly parameters: Parameters;
  readonly statistics: Parameters;
}

/** Sums over the steps of the epoch that is under way. */
export interface EpochSums {
  readonly loss: number;
  readonly encoderLoss: number;
  readonly correct: number;
  readonly images: number;
}

/** All that a training needs to go on as if it had never stopped. */
export interface TrainingProgress {
  /** Epochs that are done. */
  readonly epochs: number;
  /** Steps of the next epoch that are done. */
  readonly steps: number;
  readonly sums: EpochSums;
  readonly state: TrainingState;
  readonly history: readonly EpochRecord[];
  readonly best?: BestEpoch;
}

export const noSums: EpochSums = { loss: 0, encoderLoss: 0, correct: 0, images: 0 };

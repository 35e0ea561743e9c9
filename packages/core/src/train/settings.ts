import type { OptimiserSettings } from "./optimiser.ts";
import type { TrainedNetwork } from "./parameters.ts";
import type { Schedule } from "./schedule.ts";
import type { ViewChoices } from "./view.ts";

/** Everything that decides what comes out of a training, but for the images and the engine. */
export interface TrainingSettings {
  readonly network: TrainedNetwork;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly views: ViewChoices;
  /** How much stains are changed, 0 to 1; see `stainJitter`. */
  readonly stains: number;
  /** Images of a step, at most: never more than there are to train with. */
  readonly batchImages: number;
  /** Times that every image is seen. */
  readonly epochs: number;
  /** Epochs without a lower validation loss after which training stops; 0 for never. */
  readonly patience: number;
  readonly optimiser: OptimiserSettings;
  readonly schedule: Pick<Schedule, "kind" | "rate"> & {
    /** Share of all steps over which the rate rises. */
    readonly warmUp: number;
    /** Share of all steps over which the losses on the map come in. */
    readonly mapWarmUp: number;
  };
  /** By class. */
  readonly classWeights: readonly number[];
  /** Share of each class that is set aside for validation. */
  readonly validationShare: number;
  /** Of the split, the order of images, and what is drawn for each; the weights have the network's own. */
  readonly seed: number;
}

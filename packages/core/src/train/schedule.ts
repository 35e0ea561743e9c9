/** How the learning rate goes from step to step. */
export interface Schedule {
  readonly kind: "cosine" | "step" | "constant";
  /** The largest rate, reached after the warm-up. */
  readonly rate: number;
  /** Steps over which the rate rises from nearly nothing, in equal parts. */
  readonly warmUpSteps: number;
  /** Steps of the whole training. */
  readonly steps: number;
}

/** A `step` schedule divides the rate by ten after 60 % and again after 85 % of the steps. */
const milestones = [0.6, 0.85];

/** The learning rate of a step, counted from 0. `cosine`: half a cosine down to 0 (Loshchilov and Hutter 2017, without restarts). */
export function rateAt({ kind, rate, warmUpSteps, steps }: Schedule, step: number): number {
  if (step < warmUpSteps) return (rate * (step + 1)) / (warmUpSteps + 1);
  switch (kind) {
    case "constant":
      return rate;
    case "step":
      return rate * 0.1 ** milestones.filter((share) => step >= share * steps).length;
    case "cosine": {
      const share = Math.min(1, (step - warmUpSteps) / Math.max(1, steps - warmUpSteps));
      return (rate * (1 + Math.cos(Math.PI * share))) / 2;
    }
    default:
      return kind satisfies never;
  }
}

/**
 * Share of their weight that the losses on the map have in a step, counted from 0: from none it rises in equal parts to all. A network
 * that shows nothing yet would be held to that.
 * @param warmUpSteps Steps until they weigh all; 0 for from the first step.
 */
export function mapShareAt(step: number, warmUpSteps: number): number {
  return step < warmUpSteps ? step / warmUpSteps : 1;
}

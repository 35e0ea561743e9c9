/** The mean of what was added, of which only the sum is kept; NaN of nothing. */
export interface RunningMean {
  readonly count: number;
  readonly sum: number;
}

export const emptyMean: RunningMean = { count: 0, sum: 0 };

export function withValue({ count, sum }: RunningMean, value: number): RunningMean {
  return { count: count + 1, sum: sum + value };
}

export function meanOf({ count, sum }: RunningMean): number {
  return sum / count;
}

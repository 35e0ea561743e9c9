import { shuffled } from "./keyed-random.ts";

/** Indices of images, ascending. */
export interface DataSplit {
  readonly training: readonly number[];
  readonly validation: readonly number[];
}

/** Keeps the stream of the split apart from others of the same seed. */
const splitStream = 101;

/**
 * Sets `share` of each class aside for validation, rounded to a whole image: at least one of a class that has two or more, and never the
 * last one.
 * @param labels the class of each image, from 0.
 */
export function stratifiedSplit(
  labels: readonly number[],
  { share, seed }: { readonly share: number; readonly seed: number },
): DataSplit {
  const validation = new Set<number>();
  for (const label of new Set(labels)) {
    const own = [...labels.keys()].filter((index) => labels[index] === label);
    const wanted = share === 0 ? 0 : Math.max(1, Math.round(share * own.length));
    const order = shuffled(own, seed, splitStream, label);
    for (const index of order.slice(0, Math.min(wanted, own.length - 1))) validation.add(index);
  }
  const all = [...labels.keys()];
  return {
    training: all.filter((index) => !validation.has(index)),
    validation: all.filter((index) => validation.has(index)),
  };
}

/** Weights by class under which every class counts for the same in all: images / (classes * images of the class). */
export function balancedWeights(labels: readonly number[], classes: number): readonly number[] {
  return Array.from({ length: classes }, (_, label) => {
    const own = labels.filter((value) => value === label).length;
    return own === 0 ? 1 : labels.length / (classes * own);
  });
}

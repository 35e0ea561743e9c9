import type { Confusion } from "./progress.ts";

/** Class scores of some images, [images, classes], and the class that each is. */
export interface Scored {
  readonly logits: Float32Array;
  readonly labels: readonly number[];
  readonly classes: number;
}

/** The class of the highest score, the first of equal ones, of each image. */
export function predictions({ logits, labels, classes }: Scored): readonly number[] {
  return labels.map((_, image) => {
    let best = 0;
    for (let label = 1; label < classes; label += 1) {
      if ((logits[image * classes + label] ?? 0) > (logits[image * classes + best] ?? 0)) best = label;
    }
    return best;
  });
}

/** Sums of weight * -log softmax, and of weights, over the images. */
export function weightedLoss(
  { logits, labels, classes }: Scored,
  weights: readonly number[],
): { readonly loss: number; readonly weight: number } {
  let [loss, weight] = [0, 0];
  for (const [image, label] of labels.entries()) {
    const own = Array.from(logits.subarray(image * classes, (image + 1) * classes));
    const largest = Math.max(...own);
    const total = largest + Math.log(own.reduce((sum, score) => sum + Math.exp(score - largest), 0));
    const factor = weights[label] ?? 1;
    loss += factor * (total - (own[label] ?? Number.NaN));
    weight += factor;
  }
  return { loss, weight };
}

/** How often an image of class `row` was taken for class `column`. */
export function confusionOf(scored: Scored): Confusion {
  const found = predictions(scored);
  return Array.from({ length: scored.classes }, (_, row) =>
    Array.from(
      { length: scored.classes },
      (__, column) => scored.labels.filter((label, image) => label === row && found[image] === column).length,
    ),
  );
}

export function accuracyOf(confusion: Confusion): number {
  const images = confusion.flat().reduce((sum, count) => sum + count, 0);
  const correct = confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  return images === 0 ? Number.NaN : correct / images;
}

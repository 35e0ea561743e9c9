import { countScores } from "./score-histogram.ts";
import type { ScoreGroup } from "./score-histogram.ts";

/** How well what scores at least `threshold` covers the mask; both in 0..1. */
export interface Overlap {
  /** 2 |A and B| / (|A| + |B|) (Dice 1945). */
  readonly dice: number;
  /** |A and B| / |A or B| (Jaccard 1912) = dice / (2 - dice), so the best threshold is the same. */
  readonly iou: number;
  readonly threshold: number;
}

/**
 * The threshold at which scores overlap best with the positives, one for all that was counted: an upper bound, since a user
 * does not know it. NaN without positives.
 * @param groups From the highest score down.
 */
export function bestOverlap(groups: readonly ScoreGroup[]): Overlap {
  const { positives } = countScores(groups);
  if (positives === 0) return { dice: Number.NaN, iou: Number.NaN, threshold: Number.NaN };
  let best: Overlap = { dice: 0, iou: 0, threshold: Number.POSITIVE_INFINITY };
  let [found, taken] = [0, 0];
  for (const group of groups) {
    found += group.positives;
    taken += group.positives + group.negatives;
    const dice = (2 * found) / (positives + taken);
    if (dice > best.dice) best = { dice, iou: found / (positives + taken - found), threshold: group.score };
  }
  return best;
}

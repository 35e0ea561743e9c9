import { countScores } from "./score-histogram.ts";
import type { ScoreGroup } from "./score-histogram.ts";

/**
 * Area under precision and recall, sum over thresholds of precision * (recall - recall before it). Over pixels it is PxAP (Choe et
 * al., CVPR 2020, "Evaluating weakly supervised object localization methods right"): 1 when every evidence pixel
 * scores above all others; a map that is the same everywhere scores the share of evidence pixels. NaN without positives.
 * @param groups From the highest score down.
 */
export function averagePrecision(groups: readonly ScoreGroup[]): number {
  const { positives } = countScores(groups);
  let [found, taken, area] = [0, 0, 0];
  for (const group of groups) {
    found += group.positives;
    taken += group.positives + group.negatives;
    area += (group.positives / positives) * (found / taken);
  }
  return positives === 0 ? Number.NaN : area;
}

/** The share of positives: the average precision of scores that say nothing. */
export function prevalence(groups: readonly ScoreGroup[]): number {
  const { positives, negatives } = countScores(groups);
  return positives / (positives + negatives);
}

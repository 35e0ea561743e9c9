import { countScores } from "./score-histogram.ts";
import type { ScoreGroup } from "./score-histogram.ts";

/**
 * Area under the receiver operating characteristic: the chance that a positive scores above a negative, ties counting half (Hanley and
 * McNeil 1982). NaN unless there are both.
 * @param groups From the highest score down.
 */
export function rankingArea(groups: readonly ScoreGroup[]): number {
  const { positives, negatives } = countScores(groups);
  let below = negatives;
  let wins = 0;
  for (const group of groups) {
    below -= group.negatives;
    wins += group.positives * (below + group.negatives / 2);
  }
  return positives === 0 || negatives === 0 ? Number.NaN : wins / (positives * negatives);
}

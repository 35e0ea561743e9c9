import { rankingArea } from "./ranking-area.ts";
import { openScoreHistogram } from "./score-histogram.ts";

/** How well the model tells classes, whatever its maps. */
export interface ClassScores {
  /** Share of images whose highest score is that of their label; NaN without images. */
  readonly accuracy: number;
  /**
   * Area under the receiver operating characteristic; for more than two classes the mean over those that some images have and others have
   * not, each against the rest. NaN when there is none.
   */
  readonly area: number;
  /** How often an image of class `row` was taken for class `column`. */
  readonly confusion: readonly (readonly number[])[];
}

export interface ClassScorer {
  /** @param logits One for each class. */
  add(logits: ArrayLike<number>, label: number): void;
  result(): ClassScores;
}

export function openClassScorer(classes: number): ClassScorer {
  const histograms = Array.from({ length: classes }, openScoreHistogram);
  const confusion = histograms.map(() => histograms.map(() => 0));
  return {
    add: (logits, label) => {
      const scores = Array.from(logits);
      const row = confusion[label];
      const found = scores.indexOf(Math.max(...scores));
      if (row !== undefined) row[found] = (row[found] ?? 0) + 1;
      for (const [index, histogram] of histograms.entries()) {
        histogram.add([logOdds(scores, index)], [index === label ? 1 : 0]);
      }
    },
    result: () => {
      const all = confusion.flat().reduce((sum, count) => sum + count, 0);
      const right = confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
      // Of two classes, the one's area is the other's.
      const areas = histograms
        .map((histogram) => rankingArea(histogram.groups()))
        .filter((area) => !Number.isNaN(area));
      return {
        accuracy: right / all,
        area: areas.reduce((sum, area) => sum + area, 0) / areas.length,
        confusion: confusion.map((row) => [...row]),
      };
    },
  };
}

/** log(p / (1 - p)) of the softmax: ordered as the probability, and not rounded to 1 where it is near. */
function logOdds(logits: readonly number[], index: number): number {
  const own = logits[index] ?? Number.NaN;
  const others = logits.filter((_, other) => other !== index);
  // The score of a single class is its logit against 0.
  if (others.length === 0) return own;
  const most = Math.max(...others);
  return own - most - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
}

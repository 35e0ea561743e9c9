import { averagePrecision } from "./average-precision.ts";
import { bestOverlap } from "./best-overlap.ts";
import { pointingGame } from "./pointing-game.ts";
import { massAccuracy, rankAccuracy } from "./relevance-accuracy.ts";
import { emptyMean, meanOf, withValue } from "./running-mean.ts";
import type { RunningMean } from "./running-mean.ts";
import { openScoreHistogram } from "./score-histogram.ts";
import type { ScoreHistogram } from "./score-histogram.ts";

/** Over the pixels of all images together. */
export interface PixelScores {
  readonly pxap: number;
  readonly dice: number;
  readonly iou: number;
}

/** How well maps find masks; all in 0..1, NaN without a mask. */
export interface MapScores {
  /** Values as they are: what is relevant in one image must also be in another. */
  readonly oneScale: PixelScores;
  /** Each map from its least value to its largest first. */
  readonly imageScale: PixelScores;
  /** Means over images. */
  readonly pointingGame: number;
  readonly massAccuracy: number;
  readonly rankAccuracy: number;
}

export interface MapScorer {
  /** @param mask As long as the map; not 0 on the evidence, which it has some of. */
  add(map: Float32Array, mask: Uint8Array): void;
  result(): MapScores;
}

/** The maps of one method; what is kept does not grow with the number of images. */
export function openMapScorer(): MapScorer {
  const oneScale = openScoreHistogram();
  const imageScale = openScoreHistogram();
  let pointing: RunningMean = emptyMean;
  let mass: RunningMean = emptyMean;
  let rank: RunningMean = emptyMean;
  return {
    add: (map, mask) => {
      oneScale.add(map, mask);
      imageScale.add(scaledToUnit(map), mask);
      pointing = withValue(pointing, pointingGame(map, mask));
      mass = withValue(mass, massAccuracy(map, mask));
      rank = withValue(rank, rankAccuracy(map, mask));
    },
    result: () => ({
      oneScale: pixelScores(oneScale),
      imageScale: pixelScores(imageScale),
      pointingGame: meanOf(pointing),
      massAccuracy: meanOf(mass),
      rankAccuracy: meanOf(rank),
    }),
  };
}

function pixelScores(histogram: ScoreHistogram): PixelScores {
  const groups = histogram.groups();
  const { dice, iou } = bestOverlap(groups);
  return { pxap: averagePrecision(groups), dice, iou };
}

/** (x - min) / (max - min); 0 everywhere for a map that is the same everywhere. */
function scaledToUnit(map: Float32Array): Float32Array {
  const low = map.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = map.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return map.map((value) => (high > low ? (value - low) / (high - low) : 0));
}

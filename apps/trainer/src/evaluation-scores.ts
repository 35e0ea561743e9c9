import type { MapScores, MethodEvaluation } from "@slidelight/core";

/** A number that is told of each method. */
export interface ScoreColumn {
  readonly key: string;
  /** At most nine characters. */
  readonly heading: string;
  readonly title: string;
  readonly better: "higher" | "lower" | "near 0";
  readonly definition: string;
  of(method: MethodEvaluation): number;
  /** What a map scores that is the same everywhere; absent where that means nothing. */
  constant?(scores: MapScores): number;
}

const masked = (
  column: Omit<ScoreColumn, "of" | "constant" | "better">,
  of: (scores: MapScores) => number,
): ScoreColumn => ({ ...column, better: "higher", of, constant: of });

const pixels = "over the pixels of all images with evidence";

/** In the order in which they are told. */
export const scoreColumns: readonly ScoreColumn[] = [
  masked(
    {
      key: "pxap",
      heading: "PxAP",
      title: "PxAP, one scale for all images",
      definition: `Pixel average precision (Choe et al. 2020): the sum over thresholds of precision times the gain in recall, ${pixels}, values as they are. A constant map scores the share of evidence pixels.`,
    },
    ({ oneScale }) => oneScale.pxap,
  ),
  masked(
    {
      key: "dice",
      heading: "Dice",
      title: "best Dice, one scale",
      definition: `2 |A and B| / (|A| + |B|) of the mask and of what lies above a threshold, ${pixels}; at the best threshold, one for all, which a user does not know.`,
    },
    ({ oneScale }) => oneScale.dice,
  ),
  masked(
    {
      key: "iou",
      heading: "IoU",
      title: "best IoU, one scale",
      definition: "|A and B| / |A or B| = Dice / (2 - Dice), at the same threshold.",
    },
    ({ oneScale }) => oneScale.iou,
  ),
  masked(
    {
      key: "pxapImage",
      heading: "PxAP/i",
      title: "PxAP, a scale for each image",
      definition: "PxAP after each map is stretched from its least value to its largest.",
    },
    ({ imageScale }) => imageScale.pxap,
  ),
  masked(
    {
      key: "diceImage",
      heading: "Dice/i",
      title: "best Dice, a scale for each image",
      definition: "The same, after each map is stretched; one threshold for all images still.",
    },
    ({ imageScale }) => imageScale.dice,
  ),
  masked(
    {
      key: "iouImage",
      heading: "IoU/i",
      title: "best IoU, a scale for each image",
      definition: "The same, after each map is stretched.",
    },
    ({ imageScale }) => imageScale.iou,
  ),
  masked(
    {
      key: "pointingGame",
      heading: "point",
      title: "pointing game",
      definition:
        "Share of images whose map has its maximum within the mask (Zhang et al. 2016, without tolerance); of several equal maxima the share that is.",
    },
    (scores) => scores.pointingGame,
  ),
  masked(
    {
      key: "massAccuracy",
      heading: "mass",
      title: "relevance mass accuracy",
      definition:
        "Share of a map's positive values that lies in the mask, mean over images (Arras et al. 2022). 0 for a map without positive values.",
    },
    (scores) => scores.massAccuracy,
  ),
  masked(
    {
      key: "rankAccuracy",
      heading: "rank",
      title: "relevance rank accuracy",
      definition:
        "Of as many of the highest pixels as the mask has, the share that lies in it, mean over images (Arras et al. 2022).",
    },
    (scores) => scores.rankAccuracy,
  ),
  {
    key: "insertion",
    heading: "insert",
    title: "insertion",
    better: "higher",
    definition:
      "Area under the explained class's probability while pixels come back, the most relevant first, into the blurred image (Gaussian of 5 pixels), in equal steps (Petsiuk et al. 2018); mean over the sampled images.",
    of: ({ insertion }) => insertion,
  },
  {
    key: "deletion",
    heading: "delete",
    title: "deletion",
    better: "lower",
    definition:
      "The same while pixels give way to the image's mean colour, the most relevant first (Petsiuk et al. 2018).",
    of: ({ deletion }) => deletion,
  },
  {
    key: "randomised",
    heading: "random",
    title: "after randomisation",
    better: "near 0",
    definition:
      "Spearman's rank correlation of a map with that of the same network with random weights (Adebayo et al. 2018), mean over the sampled images: near 1, the map does not depend on what was learnt.",
    of: ({ randomised }) => randomised.at(-1)?.correlation ?? Number.NaN,
  },
];

/** A method's name between bars where its values are judged without their sign. */
export function methodTitle({ method, reading }: Pick<MethodEvaluation, "method" | "reading">): string {
  return reading === "magnitude" ? `|${method}|` : method;
}

/** Three decimals; a dash for what was not measured. */
export function scoreText(score: number): string {
  return Number.isNaN(score) ? "–" : score.toFixed(3);
}

import type { EvaluationResult } from "@slidelight/core";
import { methodTitle, scoreColumns, scoreText } from "./evaluation-scores.ts";

const cellWidth = 7;

/** What the terminal shows: the classifier in one line, then the methods. */
export function evaluationTable(result: EvaluationResult, classes: readonly string[]): readonly string[] {
  const { images, accuracy, area, constantMap, methods } = result;
  const width = Math.max(...methods.map((method) => methodTitle(method).length), "constant map".length);
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(cellWidth)).join("")}`.trimEnd();
  return [
    `${images.all} images, ${images.withEvidence} with evidence, ${images.sampled} sampled; accuracy ${scoreText(accuracy)}, AUC ${scoreText(area)}${classes.length > 2 ? " (mean of one against the rest)" : ""}`,
    "",
    line(
      "method",
      scoreColumns.map(({ heading }) => heading),
    ),
    ...methods.map((method) =>
      line(
        methodTitle(method),
        scoreColumns.map(({ of }) => scoreText(of(method))),
      ),
    ),
    line(
      "constant map",
      scoreColumns.map(({ constant }) => (constant === undefined ? "" : scoreText(constant(constantMap)))),
    ),
    "",
    "PxAP, Dice, IoU: one scale for all images; /i: a scale for each. Lower is better for delete, near 0 for random. |method|: without signs.",
  ];
}

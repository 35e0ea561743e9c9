import { accuracyOf } from "@slidelight/core";
import type { EpochRecord, Trained } from "@slidelight/core";
import { confusionPicture } from "./confusion-picture.ts";
import { curvePicture } from "./curve-picture.ts";
import type { Curve } from "./curve-picture.ts";
import { escape, htmlPage, rowTable } from "./html-page.ts";
import type { SkippedImage } from "./read-images.ts";

export interface ReportFacts {
  readonly model: string;
  readonly classes: readonly string[];
  /** Images of each class. */
  readonly counts: readonly number[];
  readonly skipped: readonly SkippedImage[];
  /** What the training was told, for people: name and value. */
  readonly settings: readonly (readonly [string, string])[];
}

const [trained, validated, encoder] = ["#1f5a96", "#c1571a", "#7a9a3a"];

/** One page that needs nothing else: curves, confusion matrix, settings, and which images were left out. */
export function trainingReport({ history, best, stoppedEarly, split }: Trained, facts: ReportFacts): string {
  const { model, classes, counts, skipped, settings } = facts;
  const accuracy = best.confusion === undefined ? undefined : accuracyOf(best.confusion);
  const summary = [
    `${history.length} epochs${stoppedEarly ? " (stopped early: the validation loss fell no further)" : ""}, the best one ${best.epoch}`,
    accuracy === undefined ? "no validation" : `validation accuracy ${(accuracy * 100).toFixed(1)} %`,
    `${split.training.length} images to train with, ${split.validation.length} to validate with`,
  ];
  const body = `<p>${summary.map(escape).join("; ")}.</p>
<h2>Curves</h2>
${curvePicture("loss", lossCurves(history), { from: 0, marked: best.epoch })}
${curvePicture("accuracy", accuracyCurves(history), { from: 0, to: 1, marked: best.epoch })}
${powerCurve(history)}
${best.confusion === undefined ? "" : `<h2>Validation images, epoch ${best.epoch}</h2>\n${confusionPicture(best.confusion, classes)}`}
<h2>Images</h2>
${rowTable(classes.map((name, index) => [name, String(counts[index] ?? 0)]))}
${skipped.length === 0 ? "" : `<h2>Left out: ${skipped.length}</h2>\n${rowTable(skipped.map(({ name, code, message }) => [name, `[${code}] ${message}`]))}`}
<h2>Settings</h2>
${rowTable(settings)}`;
  return htmlPage(`Training of ${model}`, body);
}

function lossCurves(history: readonly EpochRecord[]): readonly Curve[] {
  const validation = history.flatMap((record) => (record.validation === undefined ? [] : [record.validation.loss]));
  const second = history.flatMap(({ encoderLoss }) => (encoderLoss === undefined ? [] : [encoderLoss]));
  return [
    { name: "training", colour: trained, values: history.map(({ loss }) => loss) },
    ...(second.length === 0 ? [] : [{ name: "encoder", colour: encoder, values: second }]),
    ...(validation.length === 0 ? [] : [{ name: "validation", colour: validated, values: validation }]),
  ];
}

function accuracyCurves(history: readonly EpochRecord[]): readonly Curve[] {
  const validation = history.flatMap((record) => (record.validation === undefined ? [] : [record.validation.accuracy]));
  return [
    { name: "training", colour: trained, values: history.map(({ accuracy }) => accuracy) },
    ...(validation.length === 0 ? [] : [{ name: "validation", colour: validated, values: validation }]),
  ];
}

function powerCurve(history: readonly EpochRecord[]): string {
  const values = history.flatMap(({ power }) => (power === undefined ? [] : [power]));
  return values.length === 0 ? "" : curvePicture("power of the pool", [{ name: "power", colour: trained, values }]);
}

import type { EvaluationResult, ExplainedTarget, MethodName } from "@slidelight/core";
import { confusionPicture } from "./confusion-picture.ts";
import { methodTitle, scoreColumns, scoreText } from "./evaluation-scores.ts";
import type { EvaluationFacts } from "./evaluation-facts.ts";
import { escape, htmlPage, rowTable } from "./html-page.ts";

/** An image of the report, its mask and maps, as data addresses. */
export interface ShownImage {
  readonly name: string;
  readonly label: string;
  readonly explained: string;
  readonly predicted: string;
  /** Of the predicted class. */
  readonly probability: number;
  readonly image: string;
  readonly mask?: string;
  /** In the order of the methods. */
  readonly maps: readonly string[];
}

const style = `
body { max-width: 100rem } .scores td, .scores th { text-align: right; padding: .2rem .6rem } .scores th:first-child { text-align: left }
.best { font-weight: 700; background: #eaf3e3 } .scroll { overflow-x: auto } .shown td { border: 0; padding: .15rem; font-size: 12px }
.shown img { width: 11rem; display: block; image-rendering: pixelated; background: #eee } .shown th { border: 0 }
`;

const explained: Readonly<Record<ExplainedTarget, string>> = {
  label: "the class that the image is",
  contrast: "the class that the image is, against the mean of the others",
  top1: "the class that the model takes it for",
};

/** One page that needs nothing else: numbers with their definitions, and images beside their masks and maps. */
export function evaluationReport(
  result: EvaluationResult,
  facts: EvaluationFacts,
  shown: readonly ShownImage[],
): string {
  const { images, accuracy, area, confusion } = result;
  const { classes, skipped, unsuitable } = facts;
  const summary = [
    `${images.all} images, ${images.withEvidence} of them with evidence`,
    `accuracy ${scoreText(accuracy)}`,
    `AUC ${scoreText(area)}${classes.length > 2 ? " (mean of one against the rest)" : ""}`,
    `maps explain ${explained[facts.target]}`,
  ];
  const body = `<p>${summary.map(escape).join("; ")}.</p>
<h2>Methods</h2>
<div class="scroll">${scoreTable(result)}</div>
${cascade(result)}
${unsuitable.length === 0 ? "" : `<p>Left out, as they do not suit the model:</p>\n${rowTable(unsuitable.map(({ method, message }) => [method, message]))}`}
<p>|method|: judged by magnitude, without signs.</p>
<h2>What the numbers mean</h2>
${rowTable(scoreColumns.map(({ title, better, definition }) => [title, `${definition} (${better === "near 0" ? "Near 0" : `${better[0]?.toUpperCase() ?? ""}${better.slice(1)}`} is better.)`]))}
${pictures(
  shown,
  result.methods.map(({ method }) => method),
)}
<h2>Images by class</h2>
${confusionPicture(confusion, classes)}
${skipped.length === 0 ? "" : `<h2>Left out: ${skipped.length}</h2>\n${rowTable(skipped.map(({ image, code, message }) => [image, `[${code}] ${message}`]))}`}
<h2>Settings</h2>
${rowTable(facts.settings)}`;
  return htmlPage(`Evaluation of ${facts.model}`, body, style);
}

function scoreTable({ methods, constantMap }: EvaluationResult): string {
  const cells = scoreColumns.map(({ of, constant, better }) => {
    const scores = methods.map(of);
    const known = scores.filter((score) => !Number.isNaN(score));
    const best =
      better === "near 0" || known.length < 2
        ? undefined
        : known.reduce((a, b) => (better === "lower" ? Math.min(a, b) : Math.max(a, b)));
    return {
      scores: scores.map((score) => `<td${score === best ? ' class="best"' : ""}>${scoreText(score)}</td>`),
      constant: `<td>${constant === undefined ? "" : scoreText(constant(constantMap))}</td>`,
    };
  });
  const head = scoreColumns.map(({ heading, title }) => `<th title="${escape(title)}">${escape(heading)}</th>`);
  const rows = methods.map(
    (method, index) =>
      `<tr><th>${methodTitle(method)}</th>${cells.map(({ scores }) => scores[index] ?? "").join("")}</tr>`,
  );
  return `<table class="scores"><tr><th>method</th>${head.join("")}</tr>
${rows.join("\n")}
<tr><th>constant map</th>${cells.map(({ constant }) => constant).join("")}</tr></table>`;
}

/** Where several shares of the layers were randomised: one row for each method. */
function cascade({ methods }: EvaluationResult): string {
  const shares = methods[0]?.randomised.map(({ share }) => share) ?? [];
  if (shares.length < 2) return "";
  const rows = methods.map(
    (method) =>
      `<tr><th>${methodTitle(method)}</th>${method.randomised.map(({ correlation }) => `<td>${scoreText(correlation)}</td>`).join("")}</tr>`,
  );
  return `<h2>After randomisation of the last layers</h2>
<table class="scores"><tr><th>share of the layers</th>${shares.map((share) => `<th>${share}</th>`).join("")}</tr>${rows.join("\n")}</table>`;
}

function pictures(shown: readonly ShownImage[], methods: readonly MethodName[]): string {
  if (shown.length === 0) return "";
  const cell = (source: string | undefined, title: string): string =>
    source === undefined ? "<td>no mask</td>" : `<td><img src="${source}" alt="${escape(title)}"></td>`;
  const rows = shown.map((image) => {
    const told = [
      escape(image.name),
      `is ${escape(image.label)}`,
      `taken for ${escape(image.predicted)} (${image.probability.toFixed(3)})`,
      `explained: ${escape(image.explained)}`,
    ];
    const maps = image.maps.map((map, index) => cell(map, methods[index] ?? ""));
    return `<tr><td>${told.join("<br>")}</td>${cell(image.image, "image")}${cell(image.mask, "mask")}${maps.join("")}</tr>`;
  });
  const head = ["", "image", "mask", ...methods].map((name) => `<th>${name}</th>`).join("");
  return `<h2>Images, masks and maps</h2>
<p>Each map on a scale of its own: from black to yellow, or, where values have signs, from blue (against) over white (0) to red (for).</p>
<div class="scroll"><table class="shown"><tr>${head}</tr>
${rows.join("\n")}</table></div>`;
}

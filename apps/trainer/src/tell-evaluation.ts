import { resolve } from "node:path";
import { storageSettings } from "@slidelight/contract";
import type { CommandContext, Progress } from "@slidelight/contract";
import { openStore, parseLocation } from "@slidelight/core";
import type { Engine, Model } from "@slidelight/core";
import type { BegunEvaluation } from "./begin-evaluation.ts";
import type { EvaluateConfig } from "./evaluate-config.ts";
import { evaluationDocument } from "./evaluation-facts.ts";
import type { EvaluationFacts } from "./evaluation-facts.ts";
import { evaluationReport } from "./evaluation-report.ts";
import type { ShownImage } from "./evaluation-report.ts";
import { evaluationTable } from "./evaluation-table.ts";
import type { SkippedEntry } from "./read-masked-image.ts";

export interface EvaluateCall {
  readonly config: EvaluateConfig;
  readonly context: CommandContext;
  readonly progress: Progress;
}

const reportName = "evaluation.html";
const documentName = "evaluation.json";

/** Writes the reports, and prints the table or the document. */
export async function tellEvaluation(
  { evaluation, unsuitable }: BegunEvaluation,
  told: {
    readonly source: string;
    readonly call: EvaluateCall;
    readonly engine: Engine;
    readonly model: Model;
    readonly classes: readonly string[];
    readonly skipped: readonly SkippedEntry[];
    readonly shown: readonly ShownImage[];
  },
): Promise<void> {
  const { source, call, engine, model, classes, skipped, shown } = told;
  const { config, context, progress } = call;
  const result = evaluation.result();
  const facts: EvaluationFacts = {
    model: config.model,
    sha256: model.sha256,
    table: source,
    classes,
    target: config.target,
    skipped: skipped.map(({ entry, code, message }) => ({ image: entry.name, code, message })),
    unsuitable,
    settings: settingsOf(config, { source, engine }),
  };
  const document = `${JSON.stringify(evaluationDocument(result, facts), undefined, 2)}\n`;
  for (const { method, message } of unsuitable) if (!config.quiet) progress.line(`! ${method} is left out: ${message}`);
  // First of all: it is there even where the reports can't be written.
  context.stdout.write(config.json ? document : `${evaluationTable(result, classes).join("\n")}\n`);
  if (config.out !== undefined) {
    const { out } = config;
    const location = parseLocation(out);
    const folder = location.kind === "s3" ? out : resolve(context.folder, location.path);
    const store = openStore(folder, storageSettings(config.storage));
    const report = evaluationReport(result, facts, shown);
    await store.put(documentName, Buffer.from(document), { contentType: "application/json" });
    await store.put(reportName, Buffer.from(report), { contentType: "text/html; charset=utf-8" });
    if (!config.quiet) progress.line(`${out.replace(/\/$/u, "")}/${reportName} tells more.`);
  }
}

function settingsOf(
  { model, magnitude, target, sample, steps, randomise, seed, mean, std }: EvaluateConfig,
  { source, engine }: { readonly source: string; readonly engine: Engine },
): readonly (readonly [string, string])[] {
  return [
    ["model", model],
    ["table", source],
    ["judged without signs", magnitude.join(", ") || "none"],
    ["target", target],
    ["sample", String(sample)],
    ["steps", String(steps)],
    ["randomised shares of layers", randomise.join(", ") || "none"],
    ["seed", String(seed)],
    ...(mean === undefined ? [] : [["mean", mean.join(", ")] as const]),
    ...(std === undefined ? [] : [["std", std.join(", ")] as const]),
    ["engine", `${engine.name} ${engine.provider} ${engine.version}`],
  ];
}

import { addOptions, openEngineOf, openProgress, readModel, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import {
  chooseSample,
  classNames,
  describeModel,
  openProgramCache,
  readAhead,
  SlidelightError,
  uniforms,
} from "@slidelight/core";
import type { Command } from "commander";
import { beginEvaluation } from "./begin-evaluation.ts";
import type { BegunEvaluation } from "./begin-evaluation.ts";
import { evaluateOptions, loadEvaluateConfig } from "./evaluate-config.ts";
import { gatherMasks } from "./gather-masks.ts";
import { readMaskedImage } from "./read-masked-image.ts";
import type { SkippedEntry } from "./read-masked-image.ts";
import { openShownImages } from "./shown-images.ts";
import { tellEvaluation } from "./tell-evaluation.ts";
import type { EvaluateCall } from "./tell-evaluation.ts";
import { tellSkipped } from "./tell-skipped.ts";

/** Images that are read ahead of the one that is judged. */
const readDepth = 2;
/** Programs of images of several sizes, of the model and of its randomised twins. */
const keptPrograms = 48;

/** Faults of the model with one image, of a size that it does not take, say. */
const ofOneImage: ReadonlySet<string> = new Set(["model-shape", "model-overflow"]);

export function defineEvaluate(program: Command, context: CommandContext): void {
  const command = program
    .command("evaluate")
    .description(
      "Judge a classifier and its maps on images whose evidence is known, and write a report. docs/evaluation.md tells more.",
    )
    .argument("<csv>", "a CSV with the columns image, label and mask; a mask may be left empty");
  addOptions(command, evaluateOptions).action(async (source: string, flags: Readonly<Record<string, unknown>>) => {
    const config = loadEvaluateConfig(context.environment, flags);
    using progress = openProgress(context.stderr, {
      quiet: config.quiet,
      rate: (perSecond) => `${perSecond.toFixed(1)} images/s`,
    });
    await evaluate(source, { config, context, progress });
  });
}

async function evaluate(source: string, call: EvaluateCall): Promise<void> {
  const { config, context, progress } = call;
  const { signal, folder } = context;
  const store = storageSettings(config.storage);
  const { model } = await readModel(config.model, { ...store, signal });
  const described = describeModel(model).classes;
  const classes = classNames(described.length, described);
  const entries = await gatherMasks(source, classes, { ...store, folder, signal });
  await using engine = await openEngineOf(config.engine, { signal });
  await using programs = openProgramCache(engine, { limit: keptPrograms });

  const sample = chooseSample(entries.length, { size: config.sample, seed: config.seed });
  const shown = openShownImages(config.pictures, { classes, random: uniforms(config.seed) });
  const anyMask = entries.some(({ mask }) => mask !== undefined);
  const skipped: SkippedEntry[] = [];
  let begun: BegunEvaluation | undefined;
  let done = 0;
  const images = readAhead(entries.entries(), {
    depth: readDepth,
    start: async ([index, entry]) => ({ index, found: await readMaskedImage(entry, { ...store, signal }) }),
  });
  for await (const { index, found } of images) {
    signal.throwIfAborted();
    if ("code" in found) skipped.push(found);
    else {
      try {
        begun ??= beginEvaluation(found.pixels, { config, engine, programs, model, classes, signal });
        const evaluated = await begun.evaluation.add({
          ...found,
          label: found.entry.label,
          sampled: sample.has(index),
        });
        // Images with evidence are the ones to look at, where there are any.
        const isTelling = anyMask ? evaluated.hasEvidence : evaluated.maps.length > 0;
        if (config.out !== undefined && isTelling) await shown.consider(found, evaluated);
      } catch (error) {
        if (!(error instanceof SlidelightError) || !ofOneImage.has(error.code)) throw error;
        skipped.push({ entry: found.entry, code: error.code, message: error.message });
      }
    }
    done += 1;
    progress.update({ text: "evaluating", done, total: entries.length });
  }
  tellSkipped(skipped, progress);
  if (begun === undefined || skipped.length === entries.length) throw nothingLeft(source, skipped);
  await tellEvaluation(begun, { source, call, engine, model, classes, skipped, shown: shown.all() });
}

function nothingLeft(source: string, skipped: readonly SkippedEntry[]): SlidelightError {
  return new SlidelightError(
    "evaluation-data",
    `Evaluating the images of ${source}: expected one that can be read and that the model takes, with a mask of its size where it has one; all ${skipped.length} were left out.`,
  );
}

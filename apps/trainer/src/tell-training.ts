import { accuracyOf } from "@slidelight/core";
import type { Engine, EpochRecord, Trained, TrainingEvent, TrainingProgress, TrainingSettings } from "@slidelight/core";
import type { Call } from "./call.ts";
import type { Place } from "./place.ts";
import type { SkippedImage } from "./read-images.ts";

export function begins({
  settings,
  engine,
  from,
}: {
  settings: TrainingSettings;
  engine: Engine;
  from: TrainingProgress | undefined;
}): string {
  const { side } = settings.views;
  const where =
    from === undefined
      ? ""
      : `, going on after epoch ${from.epochs}${from.steps > 0 ? ` and ${from.steps} steps` : ""}`;
  return `training on squares of ${side} px with ${engine.name} ${engine.provider} (${engine.device})${where}`;
}

export function tellEvent(
  event: TrainingEvent,
  { settings, call }: { readonly settings: TrainingSettings; readonly call: Call },
): void {
  const { progress, config } = call;
  const { epochs } = settings;
  switch (event.kind) {
    case "step": {
      const { epoch, images, epochImages, loss, accuracy } = event;
      const text = `epoch ${epoch}/${epochs}  loss ${loss.toFixed(3)}  accuracy ${accuracy.toFixed(3)}`;
      progress.update({ text, done: (epoch - 1) * epochImages + images, total: epochs * epochImages });
      break;
    }
    case "epoch":
      if (!config.quiet) progress.line(epochLine(event.record, { epochs, best: event.best }));
      break;
    case "validating":
      break;
    default:
      event satisfies never;
  }
}

function epochLine(record: EpochRecord, { epochs, best }: { readonly epochs: number; readonly best: boolean }): string {
  const { epoch, loss, encoderLoss, accuracy, validation, power } = record;
  const parts = [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${loss.toFixed(4)}${encoderLoss === undefined ? "" : ` (encoder ${encoderLoss.toFixed(4)})`}`,
    `accuracy ${accuracy.toFixed(3)}`,
    ...(validation === undefined
      ? []
      : [
          `validation loss ${validation.loss.toFixed(4)}`,
          `accuracy ${validation.accuracy.toFixed(3)}${best ? " *" : ""}`,
        ]),
    ...(power === undefined ? [] : [`power ${power.toFixed(2)}`]),
  ];
  return parts.join("  ");
}

export function tellResults(
  { history, best, stoppedEarly, split }: Trained,
  results: {
    readonly place: Place;
    readonly call: Call;
    readonly skipped: readonly SkippedImage[];
    readonly classes: readonly string[];
    readonly counts: readonly number[];
  },
): void {
  const { place, call, skipped, classes, counts } = results;
  const { config, context, progress } = call;
  const accuracy = best.confusion === undefined ? undefined : accuracyOf(best.confusion);
  if (config.json) {
    const document = {
      model: place.uri(place.model),
      report: place.uri(place.report),
      classes: classes.map((name, index) => ({ name, images: counts[index] ?? 0 })),
      images: { training: split.training.length, validation: split.validation.length },
      skipped: skipped.map(({ name, code, message }) => ({ image: name, code, message })),
      best: {
        epoch: best.epoch,
        ...(accuracy === undefined ? {} : { accuracy }),
        ...(best.confusion === undefined ? {} : { confusion: best.confusion }),
      },
      stoppedEarly,
      history,
    };
    context.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  }
  if (config.quiet) return;
  const told = accuracy === undefined ? "" : `, validation accuracy ${accuracy.toFixed(3)}`;
  progress.line(
    `${stoppedEarly ? "Stopped early. " : ""}${place.uri(place.model)}: epoch ${best.epoch}${told}; ${place.uri(place.report)} tells more.`,
  );
}

import { encodeTrainedModel } from "@slidelight/core";
import type { Trained, TrainingSettings } from "@slidelight/core";
import type { TrainConfig } from "./config.ts";
import type { Place } from "./place.ts";
import { resolutionOf } from "./plan-training.ts";
import type { CheckedImage, SkippedImage } from "./read-images.ts";
import { trainingReport } from "./report.ts";

export interface Results {
  readonly place: Place;
  readonly settings: TrainingSettings;
  readonly classes: readonly string[];
  readonly counts: readonly number[];
  readonly images: readonly CheckedImage[];
  readonly skipped: readonly SkippedImage[];
  readonly config: TrainConfig;
}

/** The model, then its report; the checkpoint goes when both are there. */
export async function writeResults(trained: Trained, results: Results): Promise<void> {
  const { place, settings, classes, counts, images, skipped, config } = results;
  const resolution = config.mpp ?? resolutionOf(images);
  const { unet } = settings.network;
  const model = encodeTrainedModel(trained, {
    settings,
    classes,
    ...(resolution === undefined ? {} : { micronsPerPixel: resolution }),
    description: `${unet.decoder ? "U-Net" : "Convolutional classifier"} of depth ${unet.depth} with ${unet.baseChannels} base channels, trained by slidelight train`,
    record: {
      classes: Object.fromEntries(classes.map((name, index) => [name, counts[index] ?? 0])),
      skipped: skipped.length,
    },
  });
  const report = trainingReport(trained, {
    model: place.model,
    classes,
    counts,
    skipped,
    settings: settingLines(settings),
  });
  await place.store.put(place.model, model);
  await place.store.put(place.report, Buffer.from(report), { contentType: "text/html; charset=utf-8" });
  await place.store.delete(place.checkpoint);
}

function settingLines(settings: TrainingSettings): readonly (readonly [string, string])[] {
  const { network, ...others } = settings;
  const { unet, ...training } = network;
  return Object.entries({ ...unet, ...training, ...others }).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
}

import { createHash } from "node:crypto";
import { addOptions, openEngineOf, openProgress, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { decodeCheckpoint, encodeCheckpoint, trainNetwork } from "@slidelight/core";
import type { Engine, LabelledImages, TrainingIdentity, TrainingSettings } from "@slidelight/core";
import type { Command } from "commander";
import type { Call } from "./call.ts";
import { loadTrainConfig, trainOptions } from "./config.ts";
import { gatherImages } from "./gather-images.ts";
import { keepingCheckpoint, placeOf, savedCheckpoint, tryPlace } from "./place.ts";
import { chooseClasses, countClasses, planTraining, splitOf } from "./plan-training.ts";
import { openImageReader } from "./read-images.ts";
import type { CheckedImage, ImageReader } from "./read-images.ts";
import { tellSkipped } from "./tell-skipped.ts";
import { begins, tellEvent, tellResults } from "./tell-training.ts";
import { writeResults } from "./write-results.ts";

/** Between checkpoints of a long epoch. */
const saveSteps = 500;

export function defineTrain(program: Command, context: CommandContext): void {
  const command = program
    .command("train")
    .description(
      "Train a U-Net as a classifier, from images with a label each, and write it as ONNX with a report. docs/training.md tells more.",
    )
    .argument(
      "<folder|csv>",
      "a folder with a folder of images for each class, or a CSV with the columns image and label",
    );
  addOptions(command, trainOptions).action(async (source: string, flags: Readonly<Record<string, unknown>>) => {
    const config = loadTrainConfig(context.environment, flags);
    using progress = openProgress(context.stderr, {
      quiet: config.quiet,
      rate: (perSecond) => `${perSecond.toFixed(1)} images/s`,
    });
    await train(source, { config, context, progress });
  });
}

async function train(source: string, call: Call): Promise<void> {
  const { config, context, progress } = call;
  const { signal } = context;
  const say = (line: string): void => (config.quiet ? undefined : progress.line(line));
  const store = storageSettings(config.storage);
  const place = placeOf(config.out, call);
  const saved = await savedCheckpoint(place, call);
  // Of a training that was killed in the midst of a write.
  await place.store.giveUpWrites(place.model, { nested: false, signal });

  const entries = await gatherImages(source, { ...store, folder: context.folder, signal });
  const { classes, chosen } = chooseClasses(entries, { wanted: config.classes, source });
  await tryPlace(place, call);
  const reader = openImageReader({ ...store, cacheBytes: config.cache });
  const { images, skipped } = await reader.check(chosen, {
    signal,
    progress: (done) => progress.update({ text: "reading images", done, total: chosen.length }),
  });
  tellSkipped(skipped, progress);
  const counts = countClasses(images, classes);
  const settings = planTraining(config, { images, classes });
  say(`${images.length} images: ${classes.map((name, index) => `${name} ${counts[index] ?? 0}`).join(", ")}`);

  await using engine = await openEngineOf(config.engine, { signal });
  const identity = identityOf({ settings, classes, images, engine });
  const from =
    saved === undefined ? undefined : decodeCheckpoint(saved, { uri: place.uri(place.checkpoint), identity });
  say(begins({ settings, engine, from }));
  const trained = await keepingCheckpoint(place, call, () =>
    trainNetwork(labelled(reader, { images, classes }), settings, {
      engine,
      signal,
      ...(from === undefined ? {} : { from }),
      saveSteps,
      save: async (reached) => {
        await place.store.put(place.checkpoint, encodeCheckpoint(reached, identity));
      },
      observe: (event) => tellEvent(event, { settings, call }),
    }),
  );
  await writeResults(trained, { place, settings, classes, counts, images, skipped, config });
  tellResults(trained, { place, call, skipped, classes, counts });
}

function labelled(
  reader: ImageReader,
  { images, classes }: { readonly images: readonly CheckedImage[]; readonly classes: readonly string[] },
): LabelledImages {
  const split = splitOf(images, classes);
  return {
    ...(split === undefined ? {} : { split }),
    labels: images.map(({ label }) => classes.indexOf(label)),
    read: (index, options) => {
      const image = images[index];
      if (image === undefined) throw new RangeError(`There is no image ${index}.`);
      return reader.read(image, options);
    },
  };
}

/** What may not change between a training and its continuation; its length and rates may. */
function identityOf(training: {
  readonly settings: TrainingSettings;
  readonly classes: readonly string[];
  readonly images: readonly CheckedImage[];
  readonly engine: Engine;
}): TrainingIdentity {
  const { settings, classes, images, engine } = training;
  const { network, mean, std, views, stains, batchImages, classWeights, validationShare, seed } = settings;
  const hash = createHash("sha256");
  for (const { name, label, part, digest, width, height } of images)
    hash.update(JSON.stringify([name, label, part, digest, width, height]));
  return {
    network,
    pixels: { mean, std },
    views,
    stains,
    batch: batchImages,
    classWeights,
    validation: validationShare,
    seed,
    classes,
    images: `${images.length} images, ${hash.digest("hex").slice(0, 16)}`,
    engine: `${engine.name} ${engine.provider} ${engine.version}`,
  };
}

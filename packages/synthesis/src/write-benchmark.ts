import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { tissueClasses, tissueSample } from "./sample.ts";
import type { SampleSettings } from "./sample.ts";

export interface BenchmarkSettings extends SampleSettings {
  readonly seed: number;
  /** How many images; labels take turns. */
  readonly count: number;
  /** Called after each image, with how many are written. */
  readonly onImage?: (written: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes the tissue benchmark: `images/<class>/00000.png`, `masks/<class>/00000.png` (one band, 255 on the evidence) and
 * `tissue.csv` with the columns image, label, mask (paths from the folder that holds the file). `images` alone serves where
 * folders are classes. The same settings write the same pixels on every machine. Memory: one image.
 *
 * @throws {RangeError} if a setting is out of range; the file system's own errors
 */
export async function writeTissueBenchmark(folder: string, settings: BenchmarkSettings): Promise<void> {
  const { count, onImage, signal, ...sampleSettings } = settings;
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`The tissue benchmark needs a count of images, 1 or more; got ${count}.`);
  }
  const names = tissueClasses.slice(0, settings.classes ?? 2);
  for (const name of names) {
    await mkdir(join(folder, "images", name), { recursive: true });
    await mkdir(join(folder, "masks", name), { recursive: true });
  }
  const rows = ["image,label,mask"];
  for (let index = 0; index < count; index += 1) {
    signal?.throwIfAborted();
    const { pixels, mask, width, height, label } = tissueSample({ ...sampleSettings, index });
    const name = names[label] ?? "normal";
    const file = `${name}/${String(index).padStart(5, "0")}.png`;
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, "images", file));
    await sharp(mask, { raw: { width, height, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toFile(join(folder, "masks", file));
    rows.push(`images/${file},${name},masks/${file}`);
    onImage?.(index + 1);
  }
  await writeFile(join(folder, "tissue.csv"), `${rows.join("\n")}\n`);
}

import type { Pixels } from "../format/image.ts";
import type { Abortable } from "../io/byte-source.ts";
import { keyedRandom, shuffled } from "./keyed-random.ts";
import type { TrainedNetwork } from "./parameters.ts";
import type { DataSplit } from "./split.ts";
import type { TrainingSettings } from "./settings.ts";
import { stainJitter } from "./stain-jitter.ts";
import type { Batch } from "./trainer.ts";
import { centreView, copyView, randomView } from "./view.ts";

/** Images with the class of each. */
export interface LabelledImages {
  /** From 0; as many as there are images. */
  readonly labels: readonly number[];
  /** Which are for training and which for validation, where that is given; else each class is split by the settings' share. */
  readonly split?: DataSplit;
  /** The pixels of an image, decoded off the main thread. */
  read(index: number, options?: Abortable): Promise<Pixels>;
}

/** Keep streams of one seed apart. */
const orderStream = 102;
const viewStream = 103;

/** The images of each step of an epoch; those that do not fill a batch wait for another epoch's order. */
export function epochBatches(
  images: readonly number[],
  { seed, epoch, batchImages }: { readonly seed: number; readonly epoch: number; readonly batchImages: number },
): readonly (readonly number[])[] {
  const order = shuffled(images, seed, orderStream, epoch);
  const steps = Math.floor(order.length / batchImages);
  return Array.from({ length: steps }, (_, step) => order.slice(step * batchImages, (step + 1) * batchImages));
}

/** How many images of a step are seen a second time after a quarter turn: a quarter of them, where the network asks for it. */
export function turnedImages({ equivariance }: TrainedNetwork, images: number): number {
  return equivariance > 0 ? Math.ceil(images / 4) : 0;
}

/**
 * A step's images, each cut, turned and stained as chance decides for it in this epoch; then the first of them after a quarter turn, as
 * many as the network asks for, which have no targets.
 */
export async function trainingBatch(
  images: LabelledImages,
  indices: readonly number[],
  { settings, epoch, signal }: Abortable & { readonly settings: TrainingSettings; readonly epoch: number },
): Promise<Batch> {
  const { views, stains, seed, network, classWeights } = settings;
  const { side } = views;
  const { classes } = network.unet;
  const turned = turnedImages(network, indices.length);
  const all = indices.length + turned;
  const pixels = new Uint8Array(all * side * side * 3);
  const targets = new Float32Array(all * classes);
  const matrix = new Float32Array(all * 9);
  const offset = new Float32Array(all * 3);
  const place = async (index: number, at: number): Promise<void> => {
    const random = keyedRandom(seed, viewStream, epoch, index);
    const image = await images.read(index, { signal });
    copyView(image, randomView(image, views, random), { side, to: pixels, offset: at * side * side * 3 });
    const label = images.labels[index] ?? 0;
    targets[at * classes + label] = classWeights[label] ?? 1;
    const jitter = stainJitter(stains, random);
    matrix.set(jitter.matrix, at * 9);
    offset.set(jitter.offset, at * 3);
  };
  await Promise.all(indices.map(place));
  for (let again = 0; again < turned; again += 1) {
    const at = indices.length + again;
    quarterTurn(pixels, { from: again * side * side * 3, to: at * side * side * 3, side });
    matrix.copyWithin(at * 9, again * 9, (again + 1) * 9);
    offset.copyWithin(at * 3, again * 3, (again + 1) * 3);
  }
  return stains > 0 ? { pixels, targets, colours: { matrix, offset } } : { pixels, targets };
}

/** Copies a square of RGB pixels, turned by a quarter to the left: its last column becomes the first row. */
function quarterTurn(
  pixels: Uint8Array,
  { from, to, side }: { readonly from: number; readonly to: number; readonly side: number },
): void {
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const source = from + (x * side + side - 1 - y) * 3;
      pixels.copyWithin(to + (y * side + x) * 3, source, source + 3);
    }
  }
}

/** The middles of some images, as they are; a batch that is not full ends in black ones. */
export async function validationPixels(
  images: LabelledImages,
  indices: readonly number[],
  { side, batchImages, signal }: Abortable & { readonly side: number; readonly batchImages: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const pixels = new Uint8Array(batchImages * side * side * 3);
  const place = async (index: number, at: number): Promise<void> => {
    const image = await images.read(index, { signal });
    copyView(image, centreView(image, side), { side, to: pixels, offset: at * side * side * 3 });
  };
  await Promise.all(indices.map(place));
  return pixels;
}

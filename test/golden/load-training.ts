import { readFile } from "node:fs/promises";
import { z } from "zod";
import { float32, sizeOf } from "../../packages/core/src/graph/tensor.ts";
import type { Parameters } from "../../packages/core/src/model/unet.ts";

const numbers = z.array(z.number());
const three = z.tuple([z.number(), z.number(), z.number()]);

/** A U-Net's first steps in PyTorch; `scripts/golden/README.md` defines them. */
const schema = z.object({
  depth: z.number(),
  baseChannels: z.number(),
  classes: z.number(),
  images: z.number(),
  side: z.number(),
  mean: three,
  std: three,
  power: z.number(),
  encoderLoss: z.number(),
  rate: z.number(),
  weightDecay: z.number(),
  classWeights: numbers,
  layout: z.array(z.object({ name: z.string(), shape: numbers })),
  losses: numbers,
  encoderLosses: numbers,
  frozenLogits: numbers,
  finalPower: z.number(),
});

type TrainingFile = z.infer<typeof schema>;

export interface GoldenTraining extends TrainingFile {
  readonly parameters: Parameters;
}

export async function loadGoldenTraining(): Promise<GoldenTraining> {
  const file = schema.parse(JSON.parse(await readFile(new URL("training.json", import.meta.url), "utf8")));
  const bytes = await readFile(new URL("training.f32", import.meta.url));
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  let at = 0;
  const parameters = file.layout.map(({ name, shape }) => {
    const start = at;
    at += sizeOf(shape);
    return [name, float32(shape, values.slice(start, at))] as const;
  });
  return { ...file, parameters: Object.fromEntries(parameters) };
}

/** The batch of a step, from 0: the bytes and labels that `scripts/golden/training.py` makes. */
export function goldenBatch({ images, side, classes, classWeights }: TrainingFile, step: number) {
  const pixels = new Uint8Array(images * side * side * 3).map(
    (_, at) => Math.imul(at + step * 7919 + 1, 2654435761) >>> 24,
  );
  const targets = new Float32Array(images * classes);
  for (let image = 0; image < images; image += 1) {
    const label = (step + image * 2) % classes;
    targets[image * classes + label] = classWeights[label] ?? 1;
    const row = side * 3;
    const start = image * side * row + label * 5 * row;
    for (let index = start; index < start + 3 * row; index += 1) pixels[index] = (pixels[index] ?? 0) >> 1;
  }
  return { pixels, targets };
}

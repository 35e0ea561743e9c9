import {
  byteCount,
  engineChoiceKeys,
  engineChoiceOptions,
  engineChoiceSchema,
  flag,
  gatherOptions,
  parseOptions,
  pick,
  storageKeys,
  storageOptions,
  storageSchema,
} from "@slidelight/contract";
import type { Environment, OptionTable } from "@slidelight/contract";
import { z } from "zod";
import { integer, onOff, outputOptions, positive, share, triple } from "./option-kinds.ts";

const trainingOptions = {
  out: { flag: "--out <file>", text: "the model to write, a path or s3://bucket/key ending in .onnx" },
  classes: { flag: "--classes <names>", text: "use these classes, in this order (all, sorted by name)" },
  network: {
    flag: "--network <kind>",
    text: "unet, or encoder: an ordinary convolutional classifier, the U-Net without its decoder (unet)",
  },
  depth: { flag: "--depth <n>", text: "times that the network halves the resolution, 1 to 6 (3)" },
  baseChannels: { flag: "--base-channels <n>", text: "channels at full resolution, doubled at each level below (8)" },
  pool: {
    flag: "--pool <kind>",
    text: "generalised-mean (its power is learnt), generalised-mean:<p>, log-sum-exp:<r>, max or mean (generalised-mean)",
  },
  pooled: { flag: "--pooled <what>", text: "features, or scores of each pixel (features)" },
  upsampling: { flag: "--upsampling <kind>", text: "nearest, linear or transposed (nearest)" },
  encoderLoss: {
    flag: "--encoder-loss <weight>",
    text: "weight of the second loss, on the U-Net's encoder; off for none (1)",
  },
  consistency: {
    flag: "--consistency <weight>",
    text: "weight of a loss on how much the decoder's map of class scores disagrees with the encoder's; off for none (off)",
  },
  entropy: {
    flag: "--entropy <weight>",
    text: "weight of a loss on how undecided the map of class scores is; off for none (off)",
  },
  equivariance: {
    flag: "--equivariance <weight>",
    text: "weight of a loss on how much the map of class scores depends on which way round an image lies; off for none (0.3; off with --rotations off)",
  },
  normalisation: { flag: "--normalisation <kind>", text: "batch (folded into the weights at the end) or none (batch)" },
  crop: {
    flag: "--crop <px>",
    text: "side of the square that the network sees (the median of the images' shorter sides, at most 256)",
  },
  crops: { flag: "--crops <where>", text: "random, or the image's centre (random)" },
  flips: { flag: "--flips <on|off>", text: "mirror images by chance (on)" },
  rotations: { flag: "--rotations <on|off>", text: "turn images by quarters by chance (on)" },
  stains: { flag: "--stains <0..1>", text: "how much stains are changed by chance (0.1)" },
  classWeights: {
    flag: "--class-weights <how>",
    text: "balanced, none, or weights such as normal=1,tumour=4 (balanced)",
  },
  optimiser: { flag: "--optimiser <name>", text: "adamw or adam (adamw)" },
  weightDecay: { flag: "--weight-decay <x>", text: "of filters and linear layers (0.01)" },
  learningRate: { flag: "--learning-rate <x>", text: "the largest (0.002)" },
  schedule: { flag: "--schedule <kind>", text: "cosine, step (to a tenth twice) or constant (cosine)" },
  warmUp: { flag: "--warm-up <share>", text: "share of all steps in which the rate rises (0.05)" },
  mapWarmUp: {
    flag: "--map-warm-up <share>",
    text: "share of all steps over which --consistency, --entropy and --equivariance come in (0.5)",
  },
  batch: { flag: "--batch <n>", text: "images of a step (8)" },
  epochs: { flag: "--epochs <n>", text: "times that every image is seen (30)" },
  patience: {
    flag: "--patience <n>",
    text: "epochs without a lower validation loss before stopping; 0 for never (10)",
  },
  validation: { flag: "--validation <share>", text: "share of each class that is set aside to validate (0.2)" },
  seed: { flag: "--seed <n>", text: "of weights, split, order and changes (1)" },
  mean: { flag: "--mean <r,g,b>", text: "subtracted from RGB in 0..1 (0.5,0.5,0.5)" },
  std: { flag: "--std <r,g,b>", text: "then divided by (0.25,0.25,0.25)" },
  mpp: { flag: "--mpp <x>", text: "micrometres per pixel, for the model's metadata (what the images say)" },
  cache: { flag: "--cache <bytes>", text: "memory for decoded images (1GiB)" },
  resume: { flag: "--resume", text: "go on from <out>.checkpoint, where there is one" },
  restart: { flag: "--restart", text: "begin anew, though there is a checkpoint" },
} as const satisfies OptionTable;

export const trainOptions = { ...trainingOptions, ...engineChoiceOptions, ...outputOptions, ...storageOptions };

export type PoolChoice =
  | { readonly kind: "mean" | "max" }
  | { readonly kind: "log-sum-exp"; readonly sharpness: number }
  | { readonly kind: "generalised-mean"; readonly power: number; readonly learnt: boolean };

/** What a learnt power begins with. */
const firstPower = 2;
const mostPower = 6;

function poolOf(text: string): PoolChoice | undefined {
  const [kind = "", value, ...rest] = text.split(":");
  const number = value === undefined ? undefined : Number(value);
  if (rest.length > 0 || (number !== undefined && !(number > 0))) return undefined;
  if ((kind === "mean" || kind === "max") && number === undefined) return { kind };
  if (kind === "log-sum-exp") return { kind, sharpness: number ?? 4 };
  if (kind !== "generalised-mean" || (number !== undefined && (number < 1 || number > mostPower))) return undefined;
  return { kind, power: number ?? firstPower, learnt: number === undefined };
}

const pool = z
  .string()
  .transform((text, context): PoolChoice => {
    const found = poolOf(text);
    if (found !== undefined) return found;
    context.addIssue({
      code: "custom",
      message: `expected mean, max, log-sum-exp, log-sum-exp:<r>, generalised-mean or generalised-mean:<p> with p from 1 to ${mostPower}`,
    });
    return z.NEVER;
  })
  .default({ kind: "generalised-mean", power: firstPower, learnt: true });

export type ClassWeights = "balanced" | "none" | Readonly<Record<string, number>>;

const classWeights = z
  .string()
  .transform((text, context): ClassWeights => {
    if (text === "balanced" || text === "none") return text;
    const pairs = text.split(",").map((part) => {
      const at = part.lastIndexOf("=");
      return [part.slice(0, Math.max(0, at)).trim(), Number(part.slice(at + 1))] as const;
    });
    if (pairs.every(([name, weight]) => name !== "" && weight > 0 && Number.isFinite(weight))) {
      return Object.fromEntries(pairs);
    }
    context.addIssue({
      code: "custom",
      message: "expected balanced, none, or weights above 0 such as normal=1,tumour=4",
    });
    return z.NEVER;
  })
  .default("balanced");

const names = z
  .string()
  .transform((text) => text.split(",").map((name) => name.trim()))
  .refine((list) => list.every((name) => name !== "") && new Set(list).size === list.length && list.length > 1, {
    message: "expected two or more different names between commas",
  });

const lossWeight = z.preprocess((value) => (value === "off" ? 0 : value), share(100));

const schema = z
  .object({
    out: z
      .string("expected the model to write, ending in .onnx")
      .regex(/[^/]\.onnx$/u, "expected a file ending in .onnx"),
    classes: names.exactOptional(),
    network: z.enum(["unet", "encoder"], "expected unet or encoder").default("unet"),
    depth: integer(1, 6).default(3),
    baseChannels: integer(1, 256).default(8),
    pool,
    pooled: z.enum(["features", "scores"], "expected features or scores").default("features"),
    upsampling: z
      .enum(["nearest", "linear", "transposed"], "expected nearest, linear or transposed")
      .default("nearest"),
    encoderLoss: lossWeight.exactOptional(),
    consistency: lossWeight.default(0),
    entropy: lossWeight.default(0),
    equivariance: lossWeight.exactOptional(),
    normalisation: z.enum(["batch", "none"], "expected batch or none").default("batch"),
    crop: integer(1, 4096).exactOptional(),
    crops: z.enum(["random", "centre"], "expected random or centre").default("random"),
    flips: onOff(true),
    rotations: onOff(true),
    stains: share(1).default(0.1),
    classWeights,
    optimiser: z.enum(["adamw", "adam"], "expected adamw or adam").default("adamw"),
    weightDecay: share(1).default(0.01),
    learningRate: positive.default(0.002),
    schedule: z.enum(["cosine", "step", "constant"], "expected cosine, step or constant").default("cosine"),
    warmUp: share(1).default(0.05),
    mapWarmUp: share(1).default(0.5),
    batch: integer(1, 1024).default(8),
    epochs: integer(1, 100_000).default(30),
    patience: integer(0, 100_000).default(10),
    validation: share(0.9).default(0.2),
    seed: integer(0, 4_294_967_295).default(1),
    mean: triple(Number.isFinite).default([0.5, 0.5, 0.5]),
    std: triple((value) => Number.isFinite(value) && value > 0).default([0.25, 0.25, 0.25]),
    mpp: positive.exactOptional(),
    cache: byteCount.default(2 ** 30),
    resume: flag,
    restart: flag,
    json: flag,
    quiet: flag,
    engine: engineChoiceSchema,
    storage: storageSchema,
  })
  .refine(({ crop, depth }) => crop === undefined || crop % 2 ** depth === 0, {
    path: ["crop"],
    message: "expected a multiple of 2^depth, by which the network reduces",
  })
  .refine(({ network, encoderLoss = 0 }) => network === "unet" || encoderLoss === 0, {
    path: ["encoderLoss"],
    message: "leave it away with --network encoder: its class scores are the encoder's own, there is no second loss",
  })
  .refine(({ network, encoderLoss = 1, consistency }) => consistency === 0 || (network === "unet" && encoderLoss > 0), {
    path: ["consistency"],
    message: "expected a U-Net with --encoder-loss: its encoder's map is what is agreed with",
  })
  .refine(({ resume, restart }) => !resume || !restart, {
    path: ["restart"],
    message: "give either --resume or --restart, not both",
  });

export type TrainConfig = z.output<typeof schema>;

/** @throws {SlidelightError} `usage` with all faults. */
export function loadTrainConfig(environment: Environment, flags: Readonly<Record<string, unknown>>): TrainConfig {
  const values = gatherOptions(trainOptions, { flags, environment });
  const groups = { ...values, engine: pick(values, engineChoiceKeys), storage: pick(values, storageKeys) };
  return parseOptions(schema, groups, { table: trainOptions, command: "train" });
}

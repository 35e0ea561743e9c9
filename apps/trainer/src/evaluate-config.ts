import {
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
import { explainedTargets, methodNames } from "@slidelight/core";
import { z } from "zod";
import { integer, outputOptions, triple } from "./option-kinds.ts";

const evaluationOptions = {
  model: { flag: "--model <onnx>", text: "the classifier: a path or s3://bucket/key" },
  out: { flag: "--out <folder>", text: "where evaluation.html and evaluation.json go: a folder or s3://bucket/prefix" },
  methods: { flag: "--methods <names>", text: `one or more of ${methodNames.join(", ")} (all that suit the model)` },
  magnitude: {
    flag: "--magnitude <names>",
    text: "methods whose values are judged without their sign, or none (input-x-gradient)",
  },
  target: {
    flag: "--target <which>",
    text: "what maps explain: label, the class that the image is; contrast, its score less the mean of the others'; or top1, the class that the model takes it for (label)",
  },
  sample: {
    flag: "--sample <n>",
    text: "images, chosen by --seed, on which insertion, deletion and randomisation are measured; 0 for none (50)",
  },
  steps: { flag: "--steps <n>", text: "steps in which pixels are inserted and deleted (16)" },
  randomise: {
    flag: "--randomise <how>",
    text: "full: all layers; cascade: also the last quarter, half and three quarters; or off (full)",
  },
  pictures: { flag: "--pictures <n>", text: "images that the report shows with their maps (12)" },
  seed: { flag: "--seed <n>", text: "of samples, pictures and random weights (1)" },
  mean: { flag: "--mean <r,g,b>", text: "subtracted from RGB in 0..1 (the model's)" },
  std: { flag: "--std <r,g,b>", text: "then divided by (the model's)" },
} as const satisfies OptionTable;

export const evaluateOptions = { ...evaluationOptions, ...engineChoiceOptions, ...outputOptions, ...storageOptions };

const methodsExpected = `expected one or more of ${methodNames.join(", ")}, between commas`;

const splitNames = (text: unknown): unknown =>
  typeof text === "string" ? [...new Set(text.split(",").map((name) => name.trim()))] : text;

const methodList = z.array(z.enum(methodNames, methodsExpected)).min(1, methodsExpected);

const shares = { full: [1], cascade: [0.25, 0.5, 0.75, 1], off: [] } as const;

const schema = z.object({
  model: z.string("expected the ONNX model to evaluate").min(1, "expected the ONNX model to evaluate"),
  out: z.string().min(1, "expected a folder").exactOptional(),
  methods: z.preprocess(splitNames, methodList).exactOptional(),
  magnitude: z
    .preprocess((text) => (text === "none" ? [] : splitNames(text)), z.array(z.enum(methodNames, methodsExpected)))
    .default(["input-x-gradient"]),
  target: z.enum(explainedTargets, "expected label, contrast or top1").default("label"),
  sample: integer(0, 1_000_000).default(50),
  steps: integer(1, 1000).default(16),
  randomise: z
    .enum(["full", "cascade", "off"], "expected full, cascade or off")
    .default("full")
    .transform((how): readonly number[] => shares[how]),
  pictures: integer(0, 1000).default(12),
  seed: integer(0, 4_294_967_295).default(1),
  mean: triple(Number.isFinite).exactOptional(),
  std: triple((value) => Number.isFinite(value) && value > 0).exactOptional(),
  json: flag,
  quiet: flag,
  engine: engineChoiceSchema,
  storage: storageSchema,
});

export type EvaluateConfig = z.output<typeof schema>;

/** @throws {SlidelightError} `usage` with all faults. */
export function loadEvaluateConfig(environment: Environment, flags: Readonly<Record<string, unknown>>): EvaluateConfig {
  const values = gatherOptions(evaluateOptions, { flags, environment });
  const groups = { ...values, engine: pick(values, engineChoiceKeys), storage: pick(values, storageKeys) };
  return parseOptions(schema, groups, { table: evaluateOptions, command: "evaluate" });
}

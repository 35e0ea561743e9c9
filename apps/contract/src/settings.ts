import { methodNames } from "@slidelight/core/request";
import type { ExplanationSettings } from "@slidelight/core";
import { z } from "zod";
import { flag, list } from "./option-kinds.ts";
import type { OptionTable } from "./options.ts";

/** What decides a run's result, for `explain` and `enqueue` alike. */
export const explanationOptions = {
  model: { flag: "--model <onnx>", text: "the classifier: a path or s3://bucket/key" },
  out: { flag: "--out <folder>", text: "where results go: a folder or s3://bucket/prefix" },
  method: { flag: "--method <names>", text: `one or more of ${methodNames.join(", ")} (grad-cam)`, many: true },
  target: {
    flag: "--target <targets>",
    text: "top1, a class by name or index, a-b for a difference, or a-others or top1-others for one against the mean of the others; one or more (top1)",
    many: true,
  },
  layer: { flag: "--layer <name>", text: "the layer that is explained (the pooled one)" },
  level: { flag: "--level <n>", text: "pyramid level, 0 = full resolution (0)" },
  mpp: { flag: "--mpp <x>", text: "the level nearest to so many micrometres per pixel" },
  tile: {
    flag: "--tile <px>",
    text: "side of a tile's core; fastest tries some on the image (estimated, from --memory)",
  },
  tissue: { flag: "--tissue <auto|off>", text: "leave out tiles of glass on slides (auto)" },
  raw: { flag: "--raw <float16|float32>", text: "also write the unscaled values as map.zarr" },
  precision: {
    flag: "--precision <name>",
    text: "float32, bfloat16 or float16; one below float32 is first measured on the image (float32)",
  },
  maxError: {
    flag: "--max-error <x>",
    text: "error as a share of the map's range above which float32 is used instead (0.01)",
  },
  tolerateBadTiles: {
    flag: "--tolerate-bad-tiles",
    text: "take what cannot be read of a tiled image as white, and say so in the manifest",
  },
  mean: { flag: "--mean <r,g,b>", text: "subtracted from RGB in 0..1 (the model's)" },
  std: { flag: "--std <r,g,b>", text: "then divided by (the model's)" },
} as const satisfies OptionTable;

export const settingsKeys = [
  "method",
  "target",
  "layer",
  "level",
  "mpp",
  "tile",
  "tissue",
  "raw",
  "precision",
  "maxError",
  "tolerateBadTiles",
  "mean",
  "std",
] as const;

const numbers = (text: unknown): unknown => (typeof text === "string" ? text.split(",").map(Number) : text);

const count = (least: number, expected: string) => z.coerce.number(expected).int(expected).min(least, expected);

const triple = (expected: string) => z.tuple([z.number(expected), z.number(expected), z.number(expected)], expected);
const deviation = "expected three numbers above 0, such as 0.229,0.224,0.225";
const share = "expected a number above 0, such as 0.01";
const method = z.enum(methodNames, `expected one or more of ${methodNames.join(", ")}, between commas`);
const targetExpected = "expected one or more targets between commas, such as top1 or the name of a class";
const target = z.string(targetExpected).min(1, targetExpected);
const layer = "expected the name of a layer: slidelight inspect <model> lists them";
const tile = "expected fastest, or a number of pixels: an integer from 1";
const micronsPerPixel = "expected a number of micrometres per pixel above 0";

/** The options' texts as the settings of an explanation. */
export const settingsSchema = z
  .object({
    method: z.preprocess(list, z.tuple([method], method)).default(["grad-cam"]),
    target: z.preprocess(list, z.tuple([target], target)).default(["top1"]),
    layer: z.string(layer).min(1, layer).exactOptional(),
    level: count(0, "expected a level: an integer from 0").exactOptional(),
    mpp: z.coerce.number(micronsPerPixel).positive(micronsPerPixel).exactOptional(),
    tile: z.union([z.literal("fastest"), count(1, tile)], tile).exactOptional(),
    tissue: z.enum(["auto", "off"], "expected auto or off").default("auto"),
    raw: z.enum(["float16", "float32"], "expected float16 or float32").exactOptional(),
    precision: z.enum(["float32", "bfloat16", "float16"], "expected float32, bfloat16 or float16").exactOptional(),
    maxError: z.coerce.number(share).positive(share).exactOptional(),
    tolerateBadTiles: flag,
    mean: z.preprocess(numbers, triple("expected three numbers, such as 0.485,0.456,0.406")).exactOptional(),
    std: z
      .preprocess(
        numbers,
        triple(deviation).refine((values) => values.every((value) => value > 0), deviation),
      )
      .exactOptional(),
  })
  .refine((settings) => settings.level === undefined || settings.mpp === undefined, {
    message: "give either a level or --mpp, not both",
    path: ["level"],
  })
  .transform(({ method, target, mpp, tolerateBadTiles, ...settings }): ExplanationSettings => {
    return {
      ...settings,
      methods: method,
      targets: target,
      ...(mpp === undefined ? {} : { micronsPerPixel: mpp }),
      // Said only when wanted: jobs that do not ask for it keep the id that they had.
      ...(tolerateBadTiles ? { tolerateBadTiles } : {}),
    };
  });

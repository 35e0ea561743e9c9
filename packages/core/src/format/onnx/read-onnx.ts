import { createHash } from "node:crypto";
import { z } from "zod";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Size } from "../../geometry/rectangle.ts";
import { input } from "../../graph/build.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Model } from "../../model/model.ts";
import { openOnnx } from "./onnx-file.ts";
import type { OnnxFile } from "./onnx-file.ts";
import type { ValueInfo } from "./proto.ts";
import { declaredType, instantiateFile } from "./read-graph.ts";

/** Slidelight explains colour images. */
const channels = 3;

/**
 * Reads a classifier from the bytes of an ONNX file: one image input [N, 3, H, W], one output of class scores. The
 * sizes that the file declares for N, H and W do not matter. `slidelight.*` entries of its metadata are the model's
 * classes, normalisation, resolution and description.
 * @throws {SlidelightError} `model-unreadable` (no ONNX, truncated, weights elsewhere, bad metadata), `model-operator`
 * (naming node and operator), `model-input` (no single RGB image input), `model-shape` (no single output).
 */
export function readOnnx(bytes: Uint8Array, options: { readonly uri?: string } = {}): Model {
  const file = openOnnx(bytes, options);
  const image = imageInput(file);
  if (file.outputs.length > 1) {
    throw new SlidelightError(
      "model-shape",
      `Reading the model ${file.label}: expected one output (the class scores), got ${file.outputs.length}: ${namesOf(file.outputs)}. Export the model with its class scores alone.`,
    );
  }
  return {
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...readMetadata(file),
    instantiate: (size) => instantiateModel(file, image, size),
  };
}

function namesOf(values: readonly ValueInfo[]): string {
  return values.map((value) => `"${value.name}"`).join(", ");
}

function imageInput(file: OnnxFile): ValueInfo {
  const used = new Set(file.steps.flatMap(({ node }) => node.inputs));
  const candidates = file.inputs.filter((value) => used.has(value.name));
  const [image] = candidates;
  if (image === undefined || candidates.length > 1) {
    throw new SlidelightError(
      "model-input",
      `Reading the model ${file.label}: expected one input (the image), got ${candidates.length}: ${namesOf(candidates) || "none"}. Export the model with the image as its only input.`,
    );
  }
  const rank = image.shape?.length ?? 4;
  const declared = image.shape?.[1];
  const fits = rank === 4 && (typeof declared !== "number" || declared === channels);
  const type = declaredType(file, image);
  if (!fits || type !== "float32") {
    const shape = image.shape?.map((extent) => extent ?? "?").join(", ") ?? "?";
    throw new SlidelightError(
      "model-input",
      `Reading the model ${file.label}: expected the input "${image.name}" to be RGB images [N, ${channels}, H, W] of floating-point numbers, got ${type} [${shape}]. Slidelight explains colour images, channels first.`,
      { detail: { input: image.name, shape } },
    );
  }
  return image;
}

function instantiateModel(file: OnnxFile, image: ValueInfo, size: Size): Graph {
  const { height, width } = size;
  const attributes = { type: "float32", shape: [1, channels, height, width], spatial: [2, 3] } as const;
  return instantiateFile(file, { [image.name]: input(image.name, attributes) });
}

/** A JSON array, or its items between commas. */
const list = z.string().transform((text, context) => {
  const trimmed = text.trim();
  if (!trimmed.startsWith("[")) return trimmed.split(",").map((item) => item.trim());
  try {
    const items: unknown = JSON.parse(trimmed);
    return items;
  } catch {
    context.addIssue({ code: "custom", message: "is no JSON array" });
    return z.NEVER;
  }
});

const names = list.pipe(z.array(z.coerce.string().min(1)).min(1));
const number = z.coerce.number();
const deviation = number.positive();

const metadataSchema = z.object({
  "slidelight.classes": names.optional(),
  "slidelight.mean": list.pipe(z.tuple([number, number, number])).optional(),
  "slidelight.std": list.pipe(z.tuple([deviation, deviation, deviation])).optional(),
  "slidelight.mpp": number.positive().optional(),
  "slidelight.description": z.string().optional(),
});

function readMetadata(file: OnnxFile): Omit<Model, "sha256" | "instantiate"> {
  const parsed = metadataSchema.safeParse(file.metadata);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = String(issue?.path[0] ?? "");
    throw new SlidelightError(
      "model-unreadable",
      `Reading the model ${file.label}: its metadata ${key} = "${file.metadata[key] ?? ""}" can't be used: ${issue?.message ?? ""}. Expected for classes a JSON array or names between commas, for mean and std three numbers, for mpp a number above 0.`,
      { detail: { key } },
    );
  }
  const {
    "slidelight.classes": classes,
    "slidelight.mean": mean,
    "slidelight.std": std,
    "slidelight.mpp": micronsPerPixel,
    "slidelight.description": description,
  } = parsed.data;
  return {
    ...(classes === undefined ? {} : { classes }),
    ...(mean === undefined ? {} : { mean }),
    ...(std === undefined ? {} : { std }),
    ...(micronsPerPixel === undefined ? {} : { micronsPerPixel }),
    ...(description === undefined ? {} : { description }),
  };
}

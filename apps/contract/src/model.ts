import { openSource, SlidelightError } from "@slidelight/core/request";
import type { Abortable, Model, StoreSettings } from "@slidelight/core";

export interface LoadedModel {
  readonly uri: string;
  readonly model: Model;
}

/** @throws {SlidelightError} `model-not-found`, `model-unreadable`, `model-operator`, `model-input`, `model-shape`, `store-*`. */
export async function readModel(uri: string, options: StoreSettings & Abortable): Promise<LoadedModel> {
  const bytes = await readBytes(uri, options);
  // Most commands of a queue read no model.
  const { readOnnx } = await import("@slidelight/core/read-model");
  return { uri, model: readOnnx(bytes, { uri }) };
}

async function readBytes(uri: string, options: StoreSettings & Abortable): Promise<Uint8Array> {
  try {
    await using source = await openSource(uri, options);
    return await source.read({ offset: 0, length: source.size }, { signal: options.signal });
  } catch (error) {
    throw error instanceof SlidelightError ? ofModel(error, uri) : error;
  }
}

/** A source is told of as an image: here it is a model. */
function ofModel(cause: SlidelightError, uri: string): SlidelightError {
  if (cause.code === "image-not-found" || cause.code === "store-not-found") {
    return new SlidelightError(
      "model-not-found",
      `Opening the model ${uri} failed: there is no such ONNX file. Check the path or the key.`,
      { cause },
    );
  }
  if (cause.code !== "image-not-an-image") return cause;
  const { found = "no file" } = cause.detail;
  return new SlidelightError(
    "model-unreadable",
    `Opening the model ${uri} failed: expected an ONNX file, got ${String(found)}. Give the path of the .onnx file itself.`,
    { cause },
  );
}

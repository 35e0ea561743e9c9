import { addOptions, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { describeModel, openImage, openSource, readOnnx, SlidelightError } from "@slidelight/core";
import type { Abortable, ModelDescription, SlideImage, StoreSettings } from "@slidelight/core";
import type { Command } from "commander";
import { inspectOptions, loadInspectConfig } from "./config.ts";

export function defineInspect(program: Command, context: CommandContext): void {
  const command = program
    .command("inspect")
    .description("Tell what an image or a model is: levels and resolution; or split, classes, halo, layers.")
    .argument("<image|model>");
  addOptions(command, inspectOptions).action(async (uri: string, flags: Readonly<Record<string, unknown>>) => {
    const config = loadInspectConfig(context.environment, flags);
    const found = await inspect(uri, { ...storageSettings(config.storage), signal: context.signal });
    if (config.json) context.stdout.write(`${JSON.stringify(found.facts, undefined, 2)}\n`);
    else context.stdout.write(`${found.lines.join("\n")}\n`);
  });
}

interface Inspection {
  readonly facts: object;
  readonly lines: readonly string[];
}

async function inspect(uri: string, options: StoreSettings & Abortable): Promise<Inspection> {
  if (uri.toLowerCase().endsWith(".onnx")) return inspectModel(uri, options);
  try {
    await using image = await openImage(uri, await openSource(uri, options), { signal: options.signal });
    return inspectImage(image);
  } catch (error) {
    if (!(error instanceof SlidelightError) || error.code !== "image-not-an-image") throw error;
    // Models need no extension.
    return inspectModel(uri, options).catch((reason: unknown) => {
      options.signal?.throwIfAborted();
      // What is no model at all is told as what most files are taken for.
      throw reason instanceof SlidelightError && reason.code !== "model-unreadable" ? reason : error;
    });
  }
}

async function inspectModel(uri: string, options: StoreSettings & Abortable): Promise<Inspection> {
  await using source = await openSource(uri, options);
  const bytes = await source.read({ offset: 0, length: source.size }, { signal: options.signal });
  const description = describeModel(readOnnx(bytes, { uri }));
  return { facts: { kind: "model", uri, ...description }, lines: modelLines(uri, description) };
}

function modelLines(uri: string, model: ModelDescription): readonly string[] {
  const { tiling } = model;
  const left = model.softmax ? "softmax" : model.sigmoid ? "sigmoid" : undefined;
  const tilingLines = tiling.exact
    ? [
        "tiling       exact",
        `stride       ${tiling.stride} px`,
        `receptive    radius ${tiling.receptiveRadius} px`,
        `halo         ${tiling.halo} px; ${tiling.gradientHalo} px for methods with a gradient to the input`,
      ]
    : [`tiling       not exact: node "${tiling.node}" (${tiling.operator}): ${tiling.reason}`];
  return [
    `model        ${uri}${model.description === undefined ? "" : ` (${model.description})`}`,
    `sha256       ${model.sha256}`,
    `parameters   ${model.parameters.toLocaleString("en")}`,
    `classes      ${model.classes.join(", ")}`,
    ...model.pools.map(({ label, layer, channels }) => `pool         ${label} of ${layer} (${channels} channels)`),
    `head         ${model.head.join(", ")}${left === undefined ? "" : ` (${left} is left out: logits are explained)`}`,
    ...tilingLines,
    ...model.layers.map(({ name, channels, stride }) => `layer        ${name}: ${channels} channels, stride ${stride}`),
  ];
}

function inspectImage(image: SlideImage): Inspection {
  const { uri, format, samples, size, etag, levels, micronsPerPixel } = image;
  const facts = { kind: "image", uri, format, samples, bytes: size, etag, levels, micronsPerPixel };
  return {
    facts,
    lines: [
      `image        ${uri}`,
      `format       ${format}, ${samples}, ${size.toLocaleString("en")} bytes`,
      `resolution   ${micronsPerPixel === undefined ? "not known" : `${micronsPerPixel} µm a pixel`}`,
      ...levels.map(({ index, width, height, downsample }) => {
        const microns =
          micronsPerPixel === undefined ? "" : `, ${(micronsPerPixel * downsample).toPrecision(4)} µm a pixel`;
        return `level ${index}      ${width} x ${height}, 1/${Number(downsample.toFixed(3))}${microns}`;
      }),
    ],
  };
}

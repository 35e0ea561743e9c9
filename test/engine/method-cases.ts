import type { Engine, Precision } from "../../packages/core/src/engine/engine.ts";
import type { MethodName } from "../../packages/core/src/explain/methods/index.ts";
import { methodNames } from "../../packages/core/src/explain/methods/index.ts";
import type { Model } from "../../packages/core/src/model/model.ts";
import { defaultUNet, unetGraph, unetParameters } from "../../packages/core/src/model/unet.ts";
import type { UNetSettings } from "../../packages/core/src/model/unet.ts";
import { explainPixels } from "../../packages/core/src/pipeline/explain-pixels.ts";
import { openProgramCache } from "../../packages/core/src/pipeline/program-cache.ts";

/** A U-Net and the methods that explain it, in one visit to the tiles each. */
export interface MethodCase {
  readonly of: string;
  readonly settings: Partial<UNetSettings>;
  readonly methods: readonly MethodName[];
  /** An inner layer, instead of the pooled one. */
  readonly layer?: string;
}

const ofLayers = methodNames.filter((name) => name !== "saliency" && name !== "input-x-gradient");
const atInnerLayers = ofLayers.filter((name) => name !== "cam");

export const methodCases: readonly MethodCase[] = [
  { of: "mean of features", settings: { pool: { kind: "mean" } }, methods: methodNames },
  {
    of: "maximum of features, linear upsampling",
    settings: { pool: { kind: "max" }, upsampling: "linear" },
    methods: methodNames,
  },
  {
    of: "log-sum-exp of scores, nearest upsampling",
    settings: { pool: { kind: "log-sum-exp", sharpness: 4 }, pooled: "scores", upsampling: "nearest" },
    methods: methodNames,
  },
  {
    of: "generalised mean of features, three levels",
    settings: { pool: { kind: "generalised-mean", power: 3 }, depth: 3 },
    methods: methodNames,
  },
  {
    of: "mean, at an inner layer",
    settings: { pool: { kind: "mean" } },
    methods: atInnerLayers,
    layer: "down1",
  },
];

/** Several tiles with the engines' least tile side of 128 px; neither extent is a multiple of the network's stride. */
const size = { width: 179, height: 141 };

function modelOf(settings: Partial<UNetSettings>): Model {
  const all: UNetSettings = { ...defaultUNet, depth: 2, baseChannels: 4, classes: 3, seed: 5, ...settings };
  const parameters = unetParameters(all);
  return { sha256: JSON.stringify(settings), instantiate: (at) => unetGraph(all, parameters, at) };
}

/** Smooth on the scale of a few pixels, with noise: as images are. */
function pixelsOf(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size.width * size.height * 3);
  for (let index = 0; index < data.length; index += 1) {
    const position = Math.floor(index / 3);
    const [x, y, channel] = [position % size.width, Math.floor(position / size.width), index % 3];
    const wave = Math.sin(x / (5 + channel)) * Math.cos(y / (7 - channel));
    data[index] = 128 + 90 * wave + ((Math.imul(index + 1, 2654435761) >>> 24) - 128) / 8;
  }
  return data;
}

/** The maps of a case's methods, by method, as tile programs give them in float32 samples. */
export async function explainCase(
  engine: Engine,
  { settings, methods, layer }: MethodCase,
  precision: Precision,
): Promise<ReadonlyMap<MethodName, Float32Array>> {
  await using programs = openProgramCache(engine);
  const [first, ...rest] = methods.map((method) => ({
    method,
    target: { kind: "difference", index: 1, other: 0 } as const,
    classes: ["a", "b", "c"],
    ...(layer === undefined ? {} : { layer }),
  }));
  if (first === undefined) throw new RangeError("A case has a method.");
  const explained = await explainPixels({ ...size, samples: "uint8", data: pixelsOf() }, [first, ...rest], {
    engine,
    programs,
    model: modelOf(settings),
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.3, 0.4],
    precision,
    // Less than any tile takes: the smallest tiles.
    memoryBytes: 1,
  });
  return new Map(methods.map((method, index) => [method, explained[index]?.map ?? new Float32Array()]));
}

import type { Size } from "../geometry/rectangle.ts";
import {
  clip,
  concat,
  constant,
  conv,
  convTranspose,
  input,
  log,
  matMul,
  add,
  div,
  exp,
  maxPool,
  mul,
  pow,
  reduceMax,
  reduceMean,
  relu,
  reshape,
  resize,
  scalarConstant,
} from "../graph/build.ts";
import type { Graph } from "../graph/graph.ts";
import { graphOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { float32, sizeOf } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Pads } from "../graph/vocabulary.ts";
import { normals } from "./random.ts";

/** How features become the class scores. */
export type PoolKind =
  | { readonly kind: "mean" }
  | { readonly kind: "max" }
  /** (1/r) log mean exp(r x): between the mean (r -> 0) and the maximum (r -> infinity). */
  | { readonly kind: "log-sum-exp"; readonly sharpness: number }
  /** (mean x^p)^(1/p) of values clipped to >= 1e-6: between the mean (p = 1) and the maximum. */
  | { readonly kind: "generalised-mean"; readonly power: number };

export interface UNetSettings {
  /** Number of 2x2 reductions; the total stride is 2^depth. */
  readonly depth: number;
  /** Channels at full resolution; doubled at each level below. */
  readonly baseChannels: number;
  /** Whether there is a decoder. Without one it is an ordinary convolutional classifier: the encoder, its last features pooled. */
  readonly decoder: boolean;
  readonly classes: number;
  readonly pool: PoolKind;
  /** `features`: pool the last features, then a linear layer. `scores`: a 1x1 convolution to class scores, then pool those. */
  readonly pooled: "features" | "scores";
  readonly upsampling: "transposed" | "nearest" | "linear";
  /** Seed of the initial weights (He normal). */
  readonly seed: number;
}

export const defaultUNet: UNetSettings = {
  depth: 4,
  baseChannels: 16,
  decoder: true,
  classes: 2,
  pool: { kind: "mean" },
  pooled: "features",
  upsampling: "transposed",
  seed: 1,
};

/** The weights by name, in a fixed order: what training changes. */
export type Parameters = Readonly<Record<string, Tensor>>;

/** A 1e-6 floor keeps x^p and its derivative finite where a feature is 0. */
export const generalisedMeanFloor = 1e-6;

/**
 * The classical U-Net (Ronneberger et al. 2015; two 3x3 same convolutions with ReLU a level, 2x2 max-pooling,
 * concatenated skips) used as a classifier: pooled over all pixels, then linear. No normalisation layers: what it
 * computes at a pixel depends on a window around it alone, so it can be tiled exactly.
 */
export function unetParameters(settings: UNetSettings): Parameters {
  const random = normals(settings.seed);
  const parameters: Record<string, Tensor> = {};
  const weight = (name: string, shape: readonly number[], fanIn: number): void => {
    const scale = Math.sqrt(2 / fanIn);
    parameters[name] = float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random() * scale),
    );
  };
  const bias = (name: string, length: number): void => {
    parameters[name] = float32([length], new Float32Array(length));
  };
  const layer = (name: string, from: number, to: number, kernel: number): void => {
    weight(`${name}.weight`, [to, from, kernel, kernel], from * kernel * kernel);
    bias(`${name}.bias`, to);
  };
  const channels = (level: number): number => channelsAt(settings, level);
  for (let level = 0; level <= settings.depth; level += 1) {
    layer(`down${level}.conv1`, level === 0 ? 3 : channels(level - 1), channels(level), 3);
    layer(`down${level}.conv2`, channels(level), channels(level), 3);
  }
  for (let level = topLevel(settings); level >= 0; level -= 1) {
    if (settings.upsampling === "transposed") {
      // Windows of a 2x2 transposed convolution with stride 2 do not overlap: each output has one tap.
      weight(`up${level}.transposed.weight`, [channels(level + 1), channels(level), 2, 2], channels(level + 1));
      bias(`up${level}.transposed.bias`, channels(level));
    } else {
      layer(`up${level}.reduce`, channels(level + 1), channels(level), 1);
    }
    layer(`up${level}.conv1`, channels(level) * 2, channels(level), 3);
    layer(`up${level}.conv2`, channels(level), channels(level), 3);
  }
  const features = channelsAt(settings, settings.decoder ? 0 : settings.depth);
  if (settings.pooled === "scores") {
    layer("scores", features, settings.classes, 1);
  } else {
    weight("head.weight", [features, settings.classes], features);
    bias("head.bias", settings.classes);
  }
  return parameters;
}

function channelsAt({ baseChannels }: UNetSettings, level: number): number {
  return baseChannels * 2 ** level;
}

/** The decoder's first level; below 0 where there is no decoder. */
function topLevel({ depth, decoder }: UNetSettings): number {
  return decoder ? depth - 1 : -1;
}

/**
 * The network from an image [1, 3, height, width] to class scores [1, classes].
 * Height and width must be multiples of 2^depth.
 */
export function unetGraph(settings: UNetSettings, parameters: Parameters, size: Size): Graph {
  const image = input("image", { type: "float32", shape: [1, 3, size.height, size.width], spatial: [2, 3] });
  const parameter = (name: string): Node => {
    const tensor = parameters[name];
    if (tensor === undefined) throw new RangeError(`The U-Net's parameter "${name}" is missing.`);
    return constant(tensor, { name });
  };
  const { features } = unetFeatures(settings, image, {
    parameter,
    filtered: (x, name) => conv(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { pads: samePads, name }),
  });
  return graphOf({ logits: unetLogits(settings, features, { parameter, pool: (x) => pool(x, settings.pool) }) });
}

/** What the layers of a U-Net are made of: constants for a network that is used, inputs for one that is trained. */
export interface UNetLayers {
  readonly parameter: (name: string) => Node;
  /** The 3x3 same convolution `name`, with what normalises it; ReLU follows. */
  readonly filtered: (x: Node, name: string) => Node;
}

/** One pixel on each side: a 3x3 convolution keeps the size. */
export const samePads: Pads = { top: 1, left: 1, bottom: 1, right: 1 };

/**
 * From images [N, 3, H, W] to the encoder's last value, `bottom` [N, C 2^depth, H / 2^depth, W / 2^depth], and the decoder's
 * [N, C, H, W]; without a decoder `features` is the encoder's.
 */
export function unetFeatures(
  settings: UNetSettings,
  image: Node,
  { parameter, filtered }: UNetLayers,
): { readonly features: Node; readonly bottom: Node } {
  const block = (x: Node, name: string): Node => {
    const first = relu(filtered(x, `${name}.conv1`), { name: `${name}.relu1` });
    return relu(filtered(first, `${name}.conv2`), { name });
  };
  const upsample = (x: Node, level: number): Node => {
    if (settings.upsampling === "transposed") {
      const name = `up${level}.transposed`;
      return convTranspose(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { strides: [2, 2], name });
    }
    return resize(pointwise(x, `up${level}.reduce`, parameter), {
      mode: settings.upsampling,
      scales: [2, 2],
      coordinates: settings.upsampling === "nearest" ? "asymmetric" : "half_pixel",
      rounding: "floor",
      name: `up${level}.resized`,
    });
  };
  const skips: Node[] = [];
  let x: Node = image;
  for (let level = 0; level <= settings.depth; level += 1) {
    if (level > 0) x = maxPool(x, { kernel: [2, 2], strides: [2, 2], name: `down${level}.pool` });
    x = block(x, `down${level}`);
    skips.push(x);
  }
  const bottom = x;
  for (let level = topLevel(settings); level >= 0; level -= 1) {
    const skip = skips[level];
    if (skip === undefined) throw new RangeError(`The U-Net has no level ${level}.`);
    x = block(concat([skip, upsample(x, level)], 1, { name: `up${level}.joined` }), `up${level}`);
  }
  return { features: x, bottom };
}

/** From the last features [N, C, H, W] to class scores [N, classes]; `pool` reduces the image axes to extent 1. */
export function unetLogits(
  settings: UNetSettings,
  features: Node,
  { parameter, pool }: { readonly parameter: (name: string) => Node; readonly pool: (x: Node) => Node },
): Node {
  const [images = 1, channels = 1] = features.shape;
  if (settings.pooled === "scores") {
    return reshape(pool(pointwise(features, "scores", parameter)), [images, settings.classes]);
  }
  const pooled = reshape(pool(features), [images, channels]);
  return add(matMul(pooled, parameter("head.weight")), parameter("head.bias"));
}

function pointwise(x: Node, name: string, parameter: (name: string) => Node): Node {
  return conv(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { name });
}

const imageAxes = [2, 3] as const;

/** [N, C, H, W] to [N, C, 1, 1]. */
export function pool(x: Node, kind: PoolKind): Node {
  switch (kind.kind) {
    case "mean":
      return reduceMean(x, imageAxes);
    case "max":
      return reduceMax(x, imageAxes);
    case "log-sum-exp": {
      const sharpness = scalarConstant(kind.sharpness);
      return div(log(reduceMean(exp(mul(x, sharpness)), imageAxes)), sharpness);
    }
    case "generalised-mean": {
      const floored = clip(x, { min: generalisedMeanFloor });
      return pow(reduceMean(pow(floored, scalarConstant(kind.power)), imageAxes), scalarConstant(1 / kind.power));
    }
    default:
      return kind satisfies never;
  }
}

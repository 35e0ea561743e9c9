import { elementsOf, float32, sizeOf } from "../graph/tensor.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import { normals } from "../model/random.ts";
import { unetParameters } from "../model/unet.ts";
import type { Parameters, UNetSettings } from "../model/unet.ts";
import { foldedNormalisation } from "./batch-norm.ts";

/** A U-Net or its encoder, and what it has while it is trained alone. */
export interface TrainedNetwork {
  readonly unet: UNetSettings;
  /** Whether batches normalise what the 3x3 convolutions give; folded into them afterwards. */
  readonly normalised: boolean;
  /** Whether the power of a generalised mean is learnt; it begins with the setting's. */
  readonly learnsPower: boolean;
  /**
   * Weight of the second loss: cross-entropy of a linear head on the largest values of the encoder's last features. 0 leaves it
   * away. The head is dropped after training.
   */
  readonly encoderLoss: number;
  /** Weight of how much the decoder's map of class scores disagrees with the encoder's; it needs the second loss. */
  readonly consistency: number;
  /** Weight of how undecided the map of class scores is. */
  readonly entropy: number;
  /** Weight of how much the map of class scores depends on which way round an image lies; some images of each step are seen twice. */
  readonly equivariance: number;
}

/** A learnt power of the generalised mean, [1]. */
export const powerName = "pool.power";

/** What a learnt power is kept within: below 1 it is no mean any more; at 6 the floor's power is still a normal float32. */
export const powerRange = { min: 1, max: 6 } as const;

/** Names of the layers that batches normalise: those with a scale. */
export function normalisedLayers(parameters: Parameters): readonly string[] {
  const ending = ".scale";
  return Object.keys(parameters)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
}

/**
 * What training begins with, seeded by the U-Net's seed: its own initial weights, and in place of the biases of its 3x3
 * convolutions, which a normalisation would take away again, scales of 1 and shifts of 0.
 */
export function initialParameters(network: TrainedNetwork): Parameters {
  const { unet, normalised, learnsPower, encoderLoss } = network;
  const parameters: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(unetParameters(unet))) {
    const layer = /^(.*\.conv[12])\.bias$/u.exec(name)?.[1];
    if (!normalised || layer === undefined) {
      parameters[name] = tensor;
    } else {
      parameters[`${layer}.scale`] = filled(tensor.shape, 1);
      parameters[`${layer}.shift`] = filled(tensor.shape, 0);
    }
  }
  if (learnsPower && unet.pool.kind === "generalised-mean") parameters[powerName] = filled([1], unet.pool.power);
  if (encoderLoss > 0) {
    const channels = unet.baseChannels * 2 ** unet.depth;
    // Another stream than the U-Net's own, which begins with the seed itself.
    const random = normals(unet.seed ^ 0x5eed);
    const scale = Math.sqrt(1 / channels);
    const shape = [channels, unet.classes];
    parameters["encoder.weight"] = float32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random() * scale),
    );
    parameters["encoder.bias"] = filled([unet.classes], 0);
  }
  return parameters;
}

function filled(shape: Shape, value: number): Tensor {
  return float32(shape, new Float32Array(shape.reduce((product, extent) => product * extent, 1)).fill(value));
}

/** `<layer>.mean` and `<layer>.variance` of every normalised layer, before the first step. */
export function initialStatistics(parameters: Parameters): Parameters {
  return Object.fromEntries(
    normalisedLayers(parameters).flatMap((layer) => {
      const { shape } = tensorOf(parameters, `${layer}.scale`);
      return [
        [`${layer}.mean`, filled(shape, 0)],
        [`${layer}.variance`, filled(shape, 1)],
      ];
    }),
  );
}

/**
 * The plain U-Net that training has made: normalisations folded into their convolutions, the learnt power among the
 * settings, the encoder's head dropped.
 */
export function foldedNetwork(
  network: TrainedNetwork,
  { parameters, statistics }: { readonly parameters: Parameters; readonly statistics: Parameters },
): { readonly settings: UNetSettings; readonly parameters: Parameters } {
  const folded: Record<string, Tensor> = {};
  const layers = new Set(normalisedLayers(parameters));
  for (const [name, tensor] of Object.entries(parameters)) {
    const [, layer = "", part = ""] = /^(.*)\.([^.]+)$/u.exec(name) ?? [];
    if (!layers.has(layer)) {
      if (layer !== "encoder") folded[name] = tensor;
    } else if (part === "weight") {
      const frozen = {
        scale: tensorOf(parameters, `${layer}.scale`),
        shift: tensorOf(parameters, `${layer}.shift`),
        mean: tensorOf(statistics, `${layer}.mean`),
        variance: tensorOf(statistics, `${layer}.variance`),
      };
      const { weight, bias } = foldedNormalisation(tensor, frozen);
      folded[`${layer}.weight`] = weight;
      folded[`${layer}.bias`] = bias;
    }
  }
  const power = parameters[powerName]?.data[0];
  const settings =
    power === undefined
      ? network.unet
      : { ...network.unet, pool: { kind: "generalised-mean" as const, power: Number(power) } };
  return { settings, parameters: folded };
}

export function tensorOf(tensors: Parameters, name: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) throw new RangeError(`The parameter "${name}" is missing.`);
  return tensor;
}

/** @throws {RangeError} for one that is missing. */
export function numbersOf(tensors: Parameters, name: string): Float32Array {
  const tensor = tensorOf(tensors, name);
  return tensor.type === "float32" ? tensor.data : Float32Array.from(elementsOf(tensor));
}

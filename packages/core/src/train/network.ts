import {
  add,
  conv,
  div,
  exp,
  input,
  log,
  clip,
  matMul,
  pow,
  mul,
  reduceLogSumExp,
  reduceMax,
  reduceMean,
  reshape,
  scalarLike,
  sub,
} from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { sizeOf } from "../graph/tensor.ts";
import { generalisedMeanFloor, pool, samePads, unetFeatures, unetLogits } from "../model/unet.ts";
import type { Parameters } from "../model/unet.ts";
import { normalisedByBatch } from "./batch-norm.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { classMap, mapDisagreement, mapEntropy, turnDisagreement } from "./map-losses.ts";
import { powerName, tensorOf } from "./parameters.ts";
import type { TrainedNetwork } from "./parameters.ts";
import { normalisedImages, recolouredImages } from "./pixels.ts";
import type { PixelInput } from "./pixels.ts";

/** Name of the input [N, classes] of weighted targets; see `crossEntropy`. */
export const targetsName = "targets";
/** Names of outputs. */
export const lossName = "loss";
export const encoderLossName = "encoder.loss";
export const entropyName = "map.entropy";
export const disagreementName = "map.disagreement";
export const turnName = "map.turn";
export const logitsName = "logits";
/** Name of the input [1, 1, 1, 1]: the share of their weight that the losses on the map have in this step. There where there are such losses. */
export const mapShareName = "map.share";

/** Name of the output that holds the gradient of the loss to a parameter. */
export function gradientName(parameter: string): string {
  return `${parameter}.gradient`;
}

export interface TrainingBatch extends PixelInput {
  /** Whether a batch brings changes of colour; see `recolouredImages`. */
  readonly recoloured: boolean;
  /** How many images, the last ones, are the first ones after a quarter turn. */
  readonly turned: number;
}

/**
 * One step's graph: from a batch of pixels, its targets and the parameters, all of them inputs, so that one program serves
 * every step, to the loss, the logits, the gradient of the whole loss to each parameter, and of what
 * each layer normalised the mean and the unbiased variance [1, C, 1, 1] (`<layer>.mean`, `<layer>.variance`).
 *
 * `loss` is that of the class scores; with a second loss, `encoder.loss` is its own. Gradients are of the sum of all that the network is
 * trained with: loss + weight * encoder.loss + weights * what is asked of its map, `map.entropy`, `map.disagreement` and `map.turn`.
 */
export function trainingGraph(
  network: TrainedNetwork,
  { parameters, batch }: { readonly parameters: Parameters; readonly batch: TrainingBatch },
): Graph {
  const { unet, normalised, encoderLoss } = network;
  const inputs = inputsFor(parameters);
  const { parameter } = inputs;
  const statistics: Record<string, Node> = {};
  const held = new Set<Node>();
  const filtered = (x: Node, name: string): Node => {
    const weight = parameter(`${name}.weight`);
    if (!normalised) return conv(x, weight, parameter(`${name}.bias`), { pads: samePads });
    const convolved = conv(x, weight, undefined, { pads: samePads });
    const scaling = { scale: parameter(`${name}.scale`), shift: parameter(`${name}.shift`) };
    const { value, mean, variance, held: fixed } = normalisedByBatch(convolved, scaling);
    held.add(fixed);
    statistics[`${name}.mean`] = mean;
    const count = sizeOf(convolved.shape) / sizeOf(mean.shape);
    // Of what the batch is a sample of.
    statistics[`${name}.variance`] = mul(variance, scalarLike(variance, count / Math.max(1, count - 1)));
    return value;
  };
  const image = batch.recoloured ? recolouredImages(batch) : normalisedImages(batch);
  const { features, bottom } = unetFeatures(unet, image, { parameter, filtered });
  const logits = unetLogits(unet, features, { parameter, pool: (x) => trainedPool(x, network, parameter) });
  const targets = input(targetsName, { type: "float32", shape: [batch.images, unet.classes] });
  const loss = crossEntropy(logits, targets);
  const losses: Record<string, Node> = { [lossName]: loss };
  const cotangents = new Map<Node, Node>([[loss, scalarLike(loss, 1)]]);
  if (encoderLoss > 0) {
    const [, channels = 0] = bottom.shape;
    const largest = reshape(reduceMax(bottom, [2, 3]), [batch.images, channels]);
    const scores = add(matMul(largest, parameter("encoder.weight")), parameter("encoder.bias"));
    const second = crossEntropy(scores, targets);
    losses[encoderLossName] = second;
    cotangents.set(second, scalarLike(second, encoderLoss));
  }
  const share = input(mapShareName, { type: "float32", shape: [1, 1, 1, 1] });
  for (const { name, term, weight, constant } of mapLosses(network, {
    features,
    bottom,
    parameter,
    turned: batch.turned,
  })) {
    losses[name] = term;
    cotangents.set(term, mul(share, scalarLike(term, weight)));
    if (constant !== undefined) held.add(constant);
  }
  const made = inputs.made();
  const found = backpropagate(cotangents, [...made.values()], { held });
  const gradients = [...made].map(([name, node], index) => {
    const gradient = found[index] ?? mul(node, scalarLike(node, 0));
    return [gradientName(name), expandTo(gradient, node.shape)] as const;
  });
  return graphOf({ ...losses, [logitsName]: logits, ...Object.fromEntries(gradients), ...statistics });
}

interface MapLoss {
  readonly name: string;
  readonly term: Node;
  readonly weight: number;
  /** To be taken for a constant when the term is differentiated. */
  readonly constant?: Node;
}

/** What is asked of the map of class scores beside the classes. */
function mapLosses(
  { unet, encoderLoss, consistency, entropy, equivariance }: TrainedNetwork,
  {
    features,
    bottom,
    parameter,
    turned,
  }: {
    readonly features: Node;
    readonly bottom: Node;
    readonly parameter: (name: string) => Node;
    readonly turned: number;
  },
): readonly MapLoss[] {
  if (consistency === 0 && entropy === 0 && turned === 0) return [];
  const layer = (name: string) => ({ weight: parameter(`${name}.weight`), bias: parameter(`${name}.bias`) });
  const { weight, bias } = layer(unet.pooled === "scores" ? "scores" : "head");
  const fine = unet.pooled === "scores" ? conv(features, weight, bias) : classMap(features, { weight, bias });
  const losses: MapLoss[] = [];
  if (entropy > 0) losses.push({ name: entropyName, term: mapEntropy(fine), weight: entropy });
  if (consistency > 0 && encoderLoss > 0) {
    const { loss, held } = mapDisagreement({ fine, coarse: classMap(bottom, layer("encoder")) });
    losses.push({ name: disagreementName, term: loss, weight: consistency, constant: held });
  }
  if (turned > 0) losses.push({ name: turnName, term: turnDisagreement(fine, turned), weight: equivariance });
  return losses;
}

/** The plain U-Net on a batch: from pixels and the folded parameters, inputs like those of a step, to logits [N, classes]. */
export function scoringGraph(
  network: TrainedNetwork,
  { parameters, batch }: { readonly parameters: Parameters; readonly batch: PixelInput },
): Graph {
  const { parameter } = inputsFor(parameters);
  const { features } = unetFeatures(network.unet, normalisedImages(batch), {
    parameter,
    filtered: (x, name) => conv(x, parameter(`${name}.weight`), parameter(`${name}.bias`), { pads: samePads }),
  });
  const pooled = (x: Node): Node => trainedPool(x, network, parameter);
  return graphOf({ [logitsName]: unetLogits(network.unet, features, { parameter, pool: pooled }) });
}

/** An input for each parameter that is asked for, made once. */
function inputsFor(parameters: Parameters): {
  readonly parameter: (name: string) => Node;
  readonly made: () => ReadonlyMap<string, Node>;
} {
  const made = new Map<string, Node>();
  return {
    parameter: (name) => {
      const known = made.get(name);
      if (known !== undefined) return known;
      const { shape } = tensorOf(parameters, name);
      const node = input(name, { type: "float32", shape });
      made.set(name, node);
      return node;
    },
    made: () => made,
  };
}

/** The U-Net's own pool, as it can be trained: no exponential that overflows, and with the power as a parameter. */
function trainedPool(x: Node, { unet, learnsPower }: TrainedNetwork, parameter: (name: string) => Node): Node {
  const { pool: kind } = unet;
  const axes = [2, 3];
  if (kind.kind === "log-sum-exp") {
    const [, , height = 1, width = 1] = x.shape;
    const sharpness = scalarLike(x, kind.sharpness);
    const sum = reduceLogSumExp(mul(x, sharpness), axes);
    return div(sub(sum, scalarLike(x, Math.log(height * width))), sharpness);
  }
  if (kind.kind === "generalised-mean" && learnsPower) {
    const power = parameter(powerName);
    // x^p as exp(p log x): one logarithm serves the value and both of its gradients, where powers are dear.
    const logarithm = log(clip(x, { min: generalisedMeanFloor }));
    const mean = reduceMean(exp(mul(logarithm, power)), axes);
    return pow(mean, div(scalarLike(x, 1), power));
  }
  return pool(x, kind);
}

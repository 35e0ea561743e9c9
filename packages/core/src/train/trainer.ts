import type { Engine, Program } from "../engine/engine.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import { optimise } from "../graph/optimise.ts";
import { separateChannels } from "../graph/separate-channels.ts";
import { float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Parameters } from "../model/unet.ts";
import {
  encoderLossName,
  gradientName,
  logitsName,
  lossName,
  mapShareName,
  scoringGraph,
  targetsName,
  trainingGraph,
} from "./network.ts";
import type { TrainingBatch } from "./network.ts";
import { initialMoments, optimiserStep } from "./optimiser.ts";
import type { Moments, OptimiserSettings } from "./optimiser.ts";
import {
  foldedNetwork,
  initialParameters,
  initialStatistics,
  numbersOf,
  powerName,
  powerRange,
  tensorOf,
} from "./parameters.ts";
import type { TrainedNetwork } from "./parameters.ts";
import { colourMatrixName, colourOffsetName, pixelsName } from "./pixels.ts";

/** Everything that changes while a network is trained. */
export interface TrainingState {
  readonly parameters: Parameters;
  /** Running mean and variance of each normalised layer. */
  readonly statistics: Parameters;
  readonly moments: Moments;
}

export function initialTraining(network: TrainedNetwork): TrainingState {
  const parameters = initialParameters(network);
  return { parameters, statistics: initialStatistics(parameters), moments: initialMoments(parameters) };
}

/** Images of one step. Their buffers are taken over. */
export interface Batch {
  /** uint8 [images, side, side, 3]. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** [images, classes], as `crossEntropy` takes them. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** Changes of colour, where the trainer was opened for them: [images, 3, 3] and [images, 3, 1]. */
  readonly colours?: { readonly matrix: Float32Array<ArrayBuffer>; readonly offset: Float32Array<ArrayBuffer> };
}

export interface StepOptions extends Abortable {
  readonly optimiser: OptimiserSettings;
  readonly rate: number;
  /** Of the weights of the losses on the map, 0 to 1. Default: 1. */
  readonly mapShare?: number;
}

export interface StepResult {
  readonly state: TrainingState;
  readonly loss: number;
  readonly encoderLoss?: number;
  /** [images, classes], before the step. */
  readonly logits: Float32Array;
}

/** Programs that train and score a network; they keep nothing between calls. */
export interface Trainer extends AsyncDisposable {
  /**
   * The state after one step.
   * @throws {SlidelightError} `training-diverged` when the loss or a gradient is not finite; the state that was given is still good.
   */
  step(state: TrainingState, batch: Batch, options: StepOptions): Promise<StepResult>;
  /** Logits [images, classes] of the network as it would be used: with frozen statistics. The pixels are taken over. */
  score(state: TrainingState, pixels: Uint8Array<ArrayBuffer>, options?: Abortable): Promise<Float32Array>;
}

/** Share of a batch's statistics in the running ones, as in PyTorch. */
const momentum = 0.1;

/** @throws {SlidelightError} `engine-failed` when the engine does not take the graph. */
export async function openTrainer(
  network: TrainedNetwork,
  { engine, batch, signal }: Abortable & { readonly engine: Engine; readonly batch: TrainingBatch },
): Promise<Trainer> {
  const parameters = initialParameters(network);
  const folded = foldedNetwork(network, { parameters, statistics: initialStatistics(parameters) }).parameters;
  const compile = (graph: Graph, label: string): Promise<Program> =>
    engine.compile(optimise(graph, { foldScales: false }), { label, frequent: true, signal });
  // The gradients of what the decoder joins are convolutions of their own.
  const graph = graphOf(separateChannels(trainingGraph(network, { parameters, batch }).outputs));
  const training = await compile(graph, "training step");
  let scoring: Program | undefined;
  return {
    step: async (state, batchOfStep, { optimiser, rate, mapShare = 1, signal }) => {
      const share = training.inputs.includes(mapShareName)
        ? { [mapShareName]: float32([1, 1, 1, 1], Float32Array.of(mapShare)) }
        : {};
      const { outputs } = await training.run(
        { ...batchInputs(batchOfStep, network, batch), ...share, ...copies(state.parameters) },
        { signal },
      );
      return stepResult({ network, state, outputs, optimiser, rate });
    },
    score: async (state, pixels, { signal } = {}) => {
      scoring ??= await compile(scoringGraph(network, { parameters: folded, batch }), "validation");
      const wanted = new Set(scoring.inputs);
      const { parameters } = foldedNetwork(network, state);
      const given = Object.entries(parameters).filter(([name]) => wanted.has(name));
      const images = { [pixelsName]: pixelTensor(pixels, batch) };
      const { outputs } = await scoring.run({ ...images, ...copies(Object.fromEntries(given)) }, { signal });
      return numbersOf(outputs, logitsName);
    },
    [Symbol.asyncDispose]: async () => {
      await training[Symbol.asyncDispose]();
      await scoring?.[Symbol.asyncDispose]();
    },
  };
}

function pixelTensor(data: Uint8Array<ArrayBuffer>, { images, side }: TrainingBatch): Tensor {
  return { type: "uint8", shape: [images, side, side, 3], data };
}

function batchInputs({ pixels, targets, colours }: Batch, { unet }: TrainedNetwork, batch: TrainingBatch): Parameters {
  const { images } = batch;
  const inputs = {
    [pixelsName]: pixelTensor(pixels, batch),
    [targetsName]: float32([images, unet.classes], targets),
  };
  if (colours === undefined) return inputs;
  return {
    ...inputs,
    [colourMatrixName]: float32([images, 3, 3], colours.matrix),
    [colourOffsetName]: float32([images, 3, 1], colours.offset),
  };
}

interface FinishedStep {
  readonly network: TrainedNetwork;
  readonly state: TrainingState;
  readonly outputs: Parameters;
  readonly optimiser: OptimiserSettings;
  readonly rate: number;
}

function stepResult({ network, state, outputs, optimiser, rate }: FinishedStep): StepResult {
  const { parameters, statistics, moments } = state;
  const [loss = Number.NaN] = numbersOf(outputs, lossName);
  const gradients = Object.fromEntries(
    Object.keys(parameters).map((name) => [name, tensorOf(outputs, gradientName(name))]),
  );
  requireFinite(loss, gradients, moments.steps);
  const next = optimiserStep(optimiser, { parameters, gradients, moments, rate });
  const second = network.encoderLoss > 0 ? numbersOf(outputs, encoderLossName)[0] : undefined;
  return {
    state: {
      parameters: withPowerInRange(next.parameters),
      statistics: followed(statistics, outputs),
      moments: next.moments,
    },
    loss,
    ...(second === undefined ? {} : { encoderLoss: second }),
    logits: numbersOf(outputs, logitsName),
  };
}

/** @throws {SlidelightError} `training-diverged`. */
function requireFinite(loss: number, gradients: Parameters, steps: number): void {
  const wrong = Object.keys(gradients).find((name) => !areFinite(numbersOf(gradients, name)));
  if (Number.isFinite(loss) && wrong === undefined) return;
  const what = Number.isFinite(loss) ? `the gradient of ${wrong} with a value that is not` : `a loss of ${loss}`;
  throw new SlidelightError(
    "training-diverged",
    `Training, step ${steps + 1}: expected finite numbers, got ${what}. Try a lower --learning-rate or more --warm-up, and look for images that are all alike or wrongly labelled.`,
    { detail: { step: steps + 1 } },
  );
}

/** By index: an iterator, and `every`, would make an object for each of a million values. */
function areFinite(values: Float32Array): boolean {
  for (let index = 0; index < values.length; index += 1) {
    if (!Number.isFinite(values[index])) return false;
  }
  return true;
}

/** Running statistics, one batch further. */
function followed(statistics: Parameters, outputs: Parameters): Parameters {
  return Object.fromEntries(
    Object.entries(statistics).map(([name, { shape, data }]) => {
      const batch = numbersOf(outputs, name);
      const next = Float32Array.from(batch, (value, index) => (1 - momentum) * Number(data[index]) + momentum * value);
      return [name, float32(shape, next)];
    }),
  );
}

function withPowerInRange(parameters: Parameters): Parameters {
  const power = parameters[powerName];
  if (power === undefined) return parameters;
  const { min, max } = powerRange;
  const values = numbersOf(parameters, powerName).map((value) => Math.min(max, Math.max(min, value)));
  return { ...parameters, [powerName]: float32(power.shape, values) };
}

/** A run takes its inputs' buffers over. */
function copies(tensors: Parameters): Parameters {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape }]) => [name, float32(shape, numbersOf(tensors, name).slice())]),
  );
}

import { describe, expect, it } from "vitest";
import { add, constant, conv, input, mul, reduceSum, reshape } from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { evaluate, referenceTensor } from "../graph/reference.ts";
import type { ReferenceTensor } from "../graph/reference.ts";
import { float32, sizeOf } from "../graph/tensor.ts";
import type { Shape } from "../graph/tensor.ts";
import { normals } from "../model/random.ts";
import { defaultUNet, unetGraph } from "../model/unet.ts";
import type { Parameters, UNetSettings } from "../model/unet.ts";
import { foldedNormalisation, normalisedByBatch } from "./batch-norm.ts";
import { crossEntropy } from "./cross-entropy.ts";
import {
  encoderLossName,
  entropyName,
  gradientName,
  logitsName,
  lossName,
  mapShareName,
  scoringGraph,
  trainingGraph,
  turnName,
} from "./network.ts";
import { foldedNetwork, initialParameters, initialStatistics, normalisedLayers } from "./parameters.ts";
import type { TrainedNetwork } from "./parameters.ts";

type Values = Readonly<Record<string, ReferenceTensor>>;

const random = normals(7);
const noise = (shape: Shape, scale = 1): ReferenceTensor => ({
  shape,
  data: Float64Array.from({ length: sizeOf(shape) }, () => random() * scale),
});

const step = 1e-6;

/** The change of a weighted sum of outputs with one value of an input. */
function slope(graph: Graph, values: Values, at: { readonly input: string; readonly index: number }): number {
  const total = (change: number): number => {
    const changed = values[at.input] ?? noise([]);
    const data = changed.data.slice();
    data[at.index] = (data[at.index] ?? 0) + change;
    return evaluate(graph, { ...values, [at.input]: { ...changed, data } })["total"]?.data[0] ?? Number.NaN;
  };
  return (total(step) - total(-step)) / (2 * step);
}

const batch = {
  images: 3,
  side: 8,
  mean: [0.6, 0.5, 0.4],
  std: [0.2, 0.25, 0.3],
  recoloured: true,
  turned: 0,
} as const;

function networkOf(unet: Partial<UNetSettings>, more: Partial<TrainedNetwork> = {}): TrainedNetwork {
  const settings = { ...defaultUNet, depth: 1, baseChannels: 2, classes: 3, ...unet };
  return {
    unet: settings,
    normalised: true,
    learnsPower: false,
    encoderLoss: 0.5,
    consistency: 0,
    entropy: 0,
    equivariance: 0,
    ...more,
  };
}

/** Away from where they begin: scales of 1 and shifts of 0 hide faults. */
function shaken(parameters: Parameters): Values {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, tensor]) => {
      const { shape, data } = referenceTensor(tensor);
      return [name, { shape, data: data.map((value) => value + random() * 0.1) }];
    }),
  );
}

function batchValues({ unet }: TrainedNetwork): Values {
  const targets = new Float64Array(batch.images * unet.classes);
  for (let image = 0; image < batch.images; image += 1) targets[image * unet.classes + image] = [1, 0.5, 2][image] ?? 1;
  return {
    pixels: {
      shape: [batch.images, batch.side, batch.side, 3],
      data: Float64Array.from(
        { length: batch.images * batch.side ** 2 * 3 },
        () => 20 + Math.floor(Math.abs(random()) * 70),
      ),
    },
    targets: { shape: [batch.images, unet.classes], data: targets },
    "colour.matrix": {
      shape: [batch.images, 3, 3],
      data: Float64Array.from({ length: batch.images * 9 }, (_, i) => ((i % 9) % 4 === 0 ? 1 : 0) + random() * 0.02),
    },
    "colour.offset": noise([batch.images, 3, 1], 0.02),
  };
}

const networks: readonly (readonly [string, TrainedNetwork])[] = [
  [
    "a learnt generalised mean, transposed convolutions, a second loss",
    networkOf({ pool: { kind: "generalised-mean", power: 2 } }, { learnsPower: true }),
  ],
  [
    "log-sum-exp of scores, nearest upsampling",
    networkOf({ pool: { kind: "log-sum-exp", sharpness: 4 }, pooled: "scores", upsampling: "nearest" }),
  ],
  [
    "a maximum, linear upsampling, no normalisation",
    networkOf({ pool: { kind: "max" }, upsampling: "linear" }, { normalised: false, encoderLoss: 0 }),
  ],
  ["a mean, a loss on the map's entropy", networkOf({ pool: { kind: "mean" } }, { entropy: 0.7 })],
  [
    "a mean of scores, a loss on quarter turns",
    networkOf({ pool: { kind: "mean" }, pooled: "scores" }, { equivariance: 0.3 }),
  ],
  ["the encoder alone, a mean", networkOf({ decoder: false, pool: { kind: "mean" } }, { encoderLoss: 0 })],
];

/** Of the losses on the map. */
const mapShare = 0.4;

describe("the graph of a training step", () => {
  it.each(networks)("gives the gradient to every parameter: %s", (_, network) => {
    const parameters = initialParameters(network);
    const turned = network.equivariance > 0 ? 1 : 0;
    const graph = trainingGraph(network, { parameters, batch: { ...batch, turned } });
    const { [lossName]: loss, [encoderLossName]: second, [entropyName]: undecided, [turnName]: turns } = graph.outputs;
    if (loss === undefined) throw new RangeError("A step has a loss.");
    const whole = [
      [second, network.encoderLoss],
      [undecided === undefined ? undefined : reshape(undecided, [1, 1]), mapShare * network.entropy],
      [turns === undefined ? undefined : reshape(turns, [1, 1]), mapShare * network.equivariance],
    ] as const;
    const total = graphOf({
      total: whole.reduce<Node>(
        (sum, [term, weight]) => (term === undefined ? sum : add(sum, mul(term, constant(float32([], [weight]))))),
        loss,
      ),
    });
    const share = { [mapShareName]: { shape: [1, 1, 1, 1], data: Float64Array.of(mapShare) } };
    const values = { ...shaken(parameters), ...batchValues(network), ...share };
    const outputs = evaluate(graph, values);
    for (const [name, { shape }] of Object.entries(parameters)) {
      const gradient = outputs[gradientName(name)];
      expect(gradient?.shape).toEqual(shape);
      const size = sizeOf(shape);
      for (const index of new Set([0, Math.floor(size / 2), size - 1])) {
        const expected = slope(total, values, { input: name, index });
        expect(Math.abs((gradient?.data[index] ?? Number.NaN) - expected)).toBeLessThan(
          1e-6 * Math.max(1, Math.abs(expected)),
        );
      }
    }
  });

  it.each([
    ["U-Net", networkOf({ pool: { kind: "generalised-mean", power: 2 } }, { learnsPower: true })],
    ["encoder", networkOf({ pool: { kind: "mean" }, decoder: false }, { encoderLoss: 0 })],
  ])(
    "becomes the plain %s when its statistics are frozen: scores, and the file's graph, are those of the step",
    (_, network) => {
      const initial = initialParameters(network);
      const parameters = Object.fromEntries(
        Object.entries(shaken(initial)).map(([name, { shape, data }]) => [
          name,
          float32(shape, Float32Array.from(data)),
        ]),
      );
      const plain = { ...batch, images: 1, recoloured: false, turned: 0 };
      const pixels = {
        shape: [1, 8, 8, 3],
        data: (batchValues(network)["pixels"]?.data ?? new Float64Array()).slice(0, 192),
      };
      const values = Object.fromEntries(
        Object.entries(parameters).map(([name, tensor]) => [name, referenceTensor(tensor)]),
      );
      const targets = { shape: [1, 3], data: Float64Array.of(1, 0, 0) };
      const stepped = evaluate(trainingGraph(network, { parameters, batch: plain }), { ...values, pixels, targets });
      // What the one batch was normalised by, as if it had been followed for ever; its variance is the biased one.
      const statistics = Object.fromEntries(
        Object.keys(initialStatistics(parameters)).map((name) => {
          const data = stepped[name]?.data ?? new Float64Array();
          const side = name.startsWith("down1") ? 4 : 8;
          const bias = name.endsWith(".variance") ? (side ** 2 - 1) / side ** 2 : 1;
          return [
            name,
            float32(
              [data.length],
              Float32Array.from(data, (value) => value * bias),
            ),
          ];
        }),
      );
      const folded = foldedNetwork(network, { parameters, statistics });
      const expected = stepped[logitsName]?.data ?? new Float64Array();
      const scored = evaluate(scoringGraph(network, { parameters: folded.parameters, batch: plain }), {
        pixels,
        ...Object.fromEntries(
          Object.entries(folded.parameters).map(([name, tensor]) => [name, referenceTensor(tensor)]),
        ),
      })[logitsName];
      const image = Float64Array.from({ length: 192 }, (_, i) => {
        const [channel, pixel] = [Math.floor(i / 64), i % 64];
        return ((pixels.data[pixel * 3 + channel] ?? 0) / 255 - (batch.mean[channel] ?? 0)) / (batch.std[channel] ?? 1);
      });
      const written = evaluate(unetGraph(folded.settings, folded.parameters, { width: 8, height: 8 }), {
        image: { shape: [1, 3, 8, 8], data: image },
      })["logits"];
      expect(expected).toHaveLength(3);
      expected.forEach((value, index) => {
        expect(scored?.data[index]).toBeCloseTo(value, 4);
        expect(written?.data[index]).toBeCloseTo(value, 4);
      });
    },
  );

  it("normalises every 3x3 convolution, and nothing else", () => {
    const layers = normalisedLayers(initialParameters(networkOf({ depth: 2 })));
    expect(layers.toSorted()).toEqual(
      ["down0", "down1", "down2", "up0", "up1"].flatMap((block) => [`${block}.conv1`, `${block}.conv2`]),
    );
    const encoder = normalisedLayers(initialParameters(networkOf({ depth: 1, decoder: false }, { encoderLoss: 0 })));
    expect(encoder).toEqual(["down0.conv1", "down0.conv2", "down1.conv1", "down1.conv2"]);
  });
});

describe("cross-entropy", () => {
  const logits = input("logits", { type: "float32", shape: [2, 3] });
  const targets = input("targets", { type: "float32", shape: [2, 3] });
  const loss = crossEntropy(logits, targets);
  const lossOf = (scores: readonly number[], weights: readonly number[]): number =>
    evaluate(graphOf({ loss }), {
      logits: { shape: [2, 3], data: Float64Array.from(scores) },
      targets: { shape: [2, 3], data: Float64Array.from(weights) },
    })["loss"]?.data[0] ?? Number.NaN;

  it("is the weighted mean of -log softmax", () => {
    const negative = (scores: readonly number[], at: number): number =>
      Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - (scores[at] ?? 0);
    const expected = (negative([1, 2, 3], 0) * 2 + negative([0, -1, 0.5], 2) * 0.5) / 2.5;
    expect(lossOf([1, 2, 3, 0, -1, 0.5], [2, 0, 0, 0, 0, 0.5])).toBeCloseTo(expected, 12);
  });

  it("is finite for logits whose exponentials are not, and does not count an image without weight", () => {
    expect(lossOf([1000, 0, -1000, 5, 5, 5], [0, 1, 0, 0, 0, 0])).toBeCloseTo(1000, 9);
  });

  it("has the gradient softmax - target, weighted", () => {
    const [gradient] = backpropagate(new Map([[loss, constant(float32([1, 1], [1]))]]), [logits]);
    const values = { logits: noise([2, 3]), targets: { shape: [2, 3], data: Float64Array.of(2, 0, 0, 0, 0.5, 0) } };
    const found =
      gradient === undefined
        ? undefined
        : evaluate(graphOf({ gradient: expandTo(gradient, [2, 3]) }), values)["gradient"];
    for (let index = 0; index < 6; index += 1) {
      expect(found?.data[index]).toBeCloseTo(slope(graphOf({ total: loss }), values, { input: "logits", index }), 6);
    }
  });
});

describe("batch normalisation", () => {
  const x = input("x", { type: "float32", shape: [2, 3, 4, 5] });
  const scale = input("scale", { type: "float32", shape: [3] });
  const shift = input("shift", { type: "float32", shape: [3] });
  const { value, held } = normalisedByBatch(x, { scale, shift });
  const values = { x: noise([2, 3, 4, 5], 3), scale: noise([3]), shift: noise([3]), weights: noise([2, 3, 4, 5]) };

  it("gives each channel its shift as mean and its scale as deviation", () => {
    const { data } = evaluate(graphOf({ value }), values)["value"] ?? { data: new Float64Array() };
    for (const channel of [0, 1, 2]) {
      const own = [...data].filter((_, index) => Math.floor(index / 20) % 3 === channel);
      const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
      const deviation = Math.sqrt(own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length);
      expect(mean).toBeCloseTo(values.shift.data[channel] ?? Number.NaN, 9);
      expect(deviation).toBeCloseTo(Math.abs(values.scale.data[channel] ?? Number.NaN), 4);
    }
  });

  it("has the gradients of central differences, through mean and variance too", () => {
    const weights = input("weights", { type: "float32", shape: [2, 3, 4, 5] });
    const total = reduceSum(mul(value, weights), [0, 1, 2, 3]);
    const inputs = [x, scale, shift];
    const found = backpropagate(new Map([[value, weights]]), inputs, { held: new Set([held]) });
    inputs.forEach((node, operand) => {
      const gradient = found[operand];
      if (gradient === undefined) throw new RangeError("The value depends on every operand.");
      const { data } = evaluate(graphOf({ g: expandTo(gradient, node.shape) }), values)["g"] ?? {
        data: new Float64Array(),
      };
      data.forEach((got, index) => {
        expect(got).toBeCloseTo(slope(graphOf({ total }), values, { input: node.name, index }), 6);
      });
    });
  });

  it("folds into the convolution before it", () => {
    const weight = float32([3, 2, 3, 3], Float32Array.from(noise([3, 2, 3, 3]).data));
    const vector = (...numbers: number[]): ReturnType<typeof float32> => float32([3], numbers);
    const frozen = {
      scale: vector(1.5, -2, 0),
      shift: vector(0.1, 0.2, 0.3),
      mean: vector(3, -1, 0),
      variance: vector(4, 0, 2),
    };
    const folded = foldedNormalisation(weight, frozen);
    const image = input("image", { type: "float32", shape: [1, 2, 3, 3] });
    const given = { image: noise([1, 2, 3, 3]) };
    const plain = evaluate(graphOf({ y: conv(image, constant(weight)) }), given)["y"]?.data ?? [];
    const got = evaluate(graphOf({ y: conv(image, constant(folded.weight), constant(folded.bias)) }), given)["y"]?.data;
    for (const [channel, value] of [...plain].entries()) {
      const [s, t, m, v] = [frozen.scale, frozen.shift, frozen.mean, frozen.variance].map(({ data }) =>
        Number(data[channel]),
      );
      const expected = ((value - (m ?? 0)) / Math.sqrt((v ?? 0) + 1e-5)) * (s ?? 0) + (t ?? 0);
      expect(got?.[channel]).toBeCloseTo(expected, 2);
    }
  });
});

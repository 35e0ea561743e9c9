import {
  abs,
  add,
  averagePool,
  clip,
  concat,
  constant,
  conv,
  convTranspose,
  coordinate,
  div,
  greater,
  input,
  leakyRelu,
  matMul,
  maximum,
  maxPool,
  mul,
  pad,
  reduceMax,
  reduceMean,
  relu,
  reshape,
  resize,
  scalarConstant,
  sigmoid,
  slice,
  softmax,
  sub,
  tanh,
  transpose,
} from "./build.ts";
import { sameShape } from "./extents.ts";
import { backpropagate, expandTo } from "./gradient.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { evaluate } from "./reference.ts";
import type { ReferenceTensor } from "./reference.ts";
import { float32, sizeOf } from "./tensor.ts";
import type { Pads, Pair } from "./vocabulary.ts";

/** For tests: random graphs of local operators over an image, and random values for their inputs. */

/** Uniform in -0.5..0.5, the same sequence for the same seed (Lehmer's generator). */
export function randomNumbers(seed: number): () => number {
  // Multiplied so that neighbouring seeds do not start alike.
  let state = ((seed * 7_919_111) % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  };
}

/** A source of random Constants. */
export function randomWeights(seed: number): (...shape: number[]) => Node {
  const random = randomNumbers(seed);
  return (...shape) => constant(float32(shape, Float32Array.from({ length: sizeOf(shape) }, random)));
}

/** Random values for each input of the graph. */
export function randomInputs(graph: Graph, seed: number): Readonly<Record<string, ReferenceTensor>> {
  const random = randomNumbers(seed);
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      { shape, data: Float64Array.from({ length: sizeOf(shape) }, random) },
    ]),
  );
}

export function allSides(amount: number): Pads {
  return { top: amount, left: amount, bottom: amount, right: amount };
}

export function imageInput(height: number, width: number, channels = 2): NodeOf<"Input"> {
  return input("image", { type: "float32", shape: [1, channels, height, width], spatial: [2, 3] });
}

export interface RandomGraph {
  readonly image: NodeOf<"Input">;
  /** [1, C, h, w]. */
  readonly output: Node;
}

interface Dice {
  readonly weights: (...shape: number[]) => Node;
  /** An integer from `low` to `high`. */
  readonly between: (low: number, high: number) => number;
  readonly oneOf: <T>(first: T, ...others: readonly T[]) => T;
}

function diceOf(seed: number): Dice {
  const random = randomNumbers(seed);
  const between = (low: number, high: number): number => low + Math.floor((random() + 0.5) * (high - low + 1));
  return {
    weights: randomWeights(seed + 1),
    between,
    oneOf: (first, ...others) => {
      const index = between(0, others.length);
      return index === 0 ? first : (others[index - 1] ?? first);
    },
  };
}

/** [1, C, h, w] and what came before it to another value of rank 4; `undefined` where it does not fit. */
type Growth = (x: Node, dice: Dice, values: readonly Node[]) => Node | undefined;

interface Extents {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

function extentsOf(x: Node): Extents {
  const [, channels = 1, height = 1, width = 1] = x.shape;
  return { channels, height, width };
}

function pair({ between }: Dice, low: number, high: number): Pair {
  return [between(low, high), between(low, high)];
}

function sides({ between }: Dice, high: number): Pads {
  return { top: between(0, high), left: between(0, high), bottom: between(0, high), right: between(0, high) };
}

function amounts({ between }: Dice, high: number): readonly number[] {
  return [0, 0, between(0, high), between(0, high)];
}

const growths: readonly Growth[] = [
  (x, dice) => {
    const { channels } = extentsOf(x);
    const group = dice.oneOf(1, 1, channels);
    const outputs = group === 1 ? dice.between(1, 4) : channels;
    const weight = dice.weights(outputs, channels / group, ...pair(dice, 1, 4));
    return conv(x, weight, dice.oneOf(undefined, dice.weights(outputs)), {
      strides: pair(dice, 1, 2),
      dilations: pair(dice, 1, 2),
      pads: sides(dice, 5),
      group,
    });
  },
  (x, dice) => {
    const { channels } = extentsOf(x);
    return convTranspose(x, dice.weights(channels, 3, ...pair(dice, 1, 4)), dice.oneOf(undefined, dice.weights(3)), {
      strides: pair(dice, 1, 3),
      pads: sides(dice, 1),
      outputPadding: pair(dice, 0, 1),
    });
  },
  (x, dice) => {
    const kernel = pair(dice, 1, 3);
    return maxPool(x, { kernel, strides: pair(dice, 1, 4), pads: sides(dice, Math.min(...kernel) - 1) });
  },
  (x, dice) => {
    const kernel = pair(dice, 1, 3);
    const pads = sides(dice, Math.min(...kernel) - 1);
    return averagePool(x, { kernel, strides: pair(dice, 1, 3), pads, countIncludePad: dice.oneOf(true, false) });
  },
  (x, dice) =>
    resize(x, {
      scales: pair(dice, 1, 3),
      mode: dice.oneOf("nearest", "linear"),
      coordinates: dice.oneOf("half_pixel", "asymmetric", "pytorch_half_pixel"),
      rounding: dice.oneOf("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
    }),
  (x, dice) => {
    const { height, width } = extentsOf(x);
    const most = Math.min(4, height - 1, width - 1);
    const mode = dice.oneOf("constant", "edge", "reflect");
    return pad(x, { mode, before: amounts(dice, most), after: amounts(dice, most), value: 0.25 });
  },
  (x, dice) => {
    const { channels, height, width } = extentsOf(x);
    const along = (extent: number): { start: number; size: number; step: number } => {
      const step = dice.oneOf(1, 1, 2, -1, -2);
      const size = dice.between(1, Math.ceil(extent / Math.abs(step)));
      const span = (size - 1) * Math.abs(step);
      const low = dice.between(0, extent - 1 - span);
      return { start: step > 0 ? low : low + span, size, step };
    };
    const [rows, columns] = [along(height), along(width)];
    return slice(x, {
      starts: [0, 0, rows.start, columns.start],
      sizes: [1, channels, rows.size, columns.size],
      steps: [1, 1, rows.step, columns.step],
    });
  },
  (x, dice, values) => {
    const [axis, other] = [dice.between(1, 3), dice.oneOf(x, ...values)];
    return sameShape(x.shape.with(axis, 0), other.shape.with(axis, 0)) ? concat([x, other, x], axis) : undefined;
  },
  (x, dice) => {
    const { channels, height, width } = extentsOf(x);
    const rows = transpose(reshape(x, [channels, height, width]), [1, 2, 0]);
    const mixed = matMul(rows, dice.weights(channels, 2));
    return reshape(transpose(mixed, [2, 0, 1]), [1, 2, height, width]);
  },
  (x, dice) => dice.oneOf(relu, sigmoid, tanh, abs)(x),
  (x, dice) => dice.oneOf(leakyRelu(x, 0.1), clip(x, { min: -0.2, max: 0.3 })),
  (x, dice) => {
    const { channels } = extentsOf(x);
    return dice.oneOf(
      softmax(x, 1),
      reduceMax(x, [1]),
      reduceMean(x, [1]),
      add(mul(x, dice.weights(1, channels, 1, 1)), dice.weights(1, channels, 1, 1)),
    );
  },
  (x, dice) => {
    const { height, width } = extentsOf(x);
    return dice.oneOf(
      mul(x, dice.weights(width)),
      add(x, relu(dice.weights(1, 1, height, 1))),
      mul(x, dice.weights(1, 1, height, width)),
      mul(x, greater(coordinate({ axis: 2, rank: 4, size: height }), scalarConstant(3))),
      add(x, mul(coordinate({ axis: 0, rank: 1, size: width }), scalarConstant(0.1))),
    );
  },
  (x, dice, values) => {
    const other = dice.oneOf(x, ...values);
    const fits = sameShape(x.shape.slice(2), other.shape.slice(2)) && (other.shape[1] === 1 || x.shape[1] === 1);
    return fits || sameShape(x.shape, other.shape) ? dice.oneOf(add, sub, mul, maximum)(x, other) : undefined;
  },
];

/** Small enough to evaluate in float64, large enough for several tiles. */
const largestExtent = 32;

function isUsable(x: Node | undefined): x is Node {
  if (x === undefined) return false;
  const { channels, height, width } = extentsOf(x);
  return channels <= 6 && Math.min(height, width) >= 3 && Math.max(height, width) <= largestExtent;
}

/** The same graph for the same seed: about eight local operators over an image of 9 to 17 pixels a side. */
export function randomGraph(seed: number): RandomGraph {
  const dice = diceOf(seed);
  const image = imageInput(dice.between(9, 17), dice.between(9, 17), dice.between(1, 3));
  const values: Node[] = [image];
  for (let attempt = 0; attempt < 60 && values.length < 9; attempt += 1) {
    const last = values.at(-1) ?? image;
    const from = dice.between(0, 3) === 0 ? dice.oneOf(last, ...values) : last;
    const grow = dice.oneOf(growths[0] ?? relu, ...growths);
    const grown = attemptGrowth(() => grow(from, dice, values));
    if (isUsable(grown)) values.push(grown);
  }
  return { image, output: values.at(-1) ?? image };
}

/** A window larger than the value is no graph. */
function attemptGrowth(grow: () => Node | undefined): Node | undefined {
  try {
    return grow();
  } catch {
    return undefined;
  }
}

/** A value above its gradient to the image: what a pass must keep. */
export function withGradient({ output, image }: RandomGraph): Readonly<Record<string, Node>> {
  const [gradient] = backpropagate(new Map([[output, mul(output, scalarConstant(0.5))]]), [image]);
  return gradient === undefined ? { output } : { output, gradient: expandTo(gradient, image.shape) };
}

/** A U-Net of two levels over normalised pixels, 2 x 2 max-pooled, with weights that are random. */
export function smallUNet(side: number): RandomGraph {
  const weights = randomWeights(11);
  const image = imageInput(side, side, 3);
  const channels = (values: readonly number[]): Node => constant(float32([1, 3, 1, 1], values));
  const scaled = div(sub(mul(image, scalarConstant(1 / 255)), channels([0.1, 0.2, 0.3])), channels([0.2, 0.3, 0.4]));
  const block = (x: Node, outputs: number): Node => {
    const pads = allSides(1);
    const first = relu(conv(x, weights(outputs, extentsOf(x).channels, 3, 3), weights(outputs), { pads }));
    return relu(conv(first, weights(outputs, outputs, 3, 3), weights(outputs), { pads }));
  };
  const [fine, coarse] = [block(scaled, 4), (x: Node) => block(maxPool(x, { kernel: [2, 2] }), 6)];
  const middle = coarse(fine);
  const bottom = coarse(middle);
  const up = (x: Node, skip: Node, outputs: number): Node => {
    const upper = convTranspose(x, weights(extentsOf(x).channels, outputs, 2, 2), weights(outputs), {
      strides: [2, 2],
    });
    return block(concat([skip, upper], 1), outputs);
  };
  return { image, output: up(up(bottom, middle, 6), fine, 4) };
}

/** The largest difference between two graphs' outputs, over the largest value of each. */
export function largestDifference(a: Graph, b: Graph): number {
  const inputs = randomInputs(a, 5);
  const [expected, got] = [evaluate(a, inputs), evaluate(b, inputs)];
  return Math.max(
    ...Object.entries(expected).map(([name, { data }]) => {
      const other = got[name]?.data ?? new Float64Array();
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = data.reduce((most, value, index) => Math.max(most, Math.abs(value - (other[index] ?? NaN))), 0);
      return largest === 0 ? worst : worst / largest;
    }),
  );
}

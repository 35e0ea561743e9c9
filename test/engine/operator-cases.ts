import * as build from "../../packages/core/src/graph/build.ts";
import { graphOf } from "../../packages/core/src/graph/graph.ts";
import type { Graph } from "../../packages/core/src/graph/graph.ts";
import type { Node, NodeOf } from "../../packages/core/src/graph/node.ts";
import { sizeOf, tensorOf } from "../../packages/core/src/graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../../packages/core/src/graph/tensor.ts";
import type { OperatorName } from "../../packages/core/src/graph/vocabulary.ts";

/** One operator with one choice of attributes and types. */
export interface OperatorCase {
  readonly of: string;
  readonly inputs: readonly Tensor[];
  readonly node: (...operands: readonly Node[]) => Node;
  /** The largest value on the way, where results are smaller: rounding is relative to it. */
  readonly largest?: number;
}

/** The case's inputs, named x0, x1 …, and its node as y; `images`: those with four axes may be of any height and width. */
export function graphOfCase({ inputs, node }: OperatorCase, options: { readonly images?: boolean } = {}): Graph {
  const operands = inputs.map(({ type, shape }, index) => {
    const spatial = options.images === true && shape.length === 4 ? { spatial: [2, 3] as const } : {};
    return build.input(`x${index}`, { type, shape, ...spatial });
  });
  return graphOf({ y: node(...operands) });
}

/** Numbers in [-2, 2) that look random and are the same everywhere. */
export function scattered(shape: Shape, options: { readonly seed?: number; readonly scale?: number } = {}): Tensor {
  const { seed = 1, scale = 2 } = options;
  const values = Array.from({ length: sizeOf(shape) }, (_, index) => {
    const mixed = Math.imul(index + 1, 2654435761) ^ Math.imul(seed, 40503);
    return ((((mixed >>> 7) % 4001) - 2000) / 2000) * scale;
  });
  return tensorOf("float32", shape, values);
}

function values(type: ElementType, numbers: readonly number[], shape: Shape = [numbers.length]): Tensor {
  return tensorOf(type, shape, numbers);
}

function weight(shape: Shape, seed = 7): NodeOf<"Constant"> {
  return build.constant(scattered(shape, { seed, scale: 0.5 }));
}

type Unary = (x: Node) => Node;
type Binary = (a: Node, b: Node) => Node;

const image = scattered([2, 3, 7, 6]);
const positive = values("float32", [0.01, 0.5, 1, 2, 30]);
const mixed = values("float32", [-30, -1.5, -0.25, 0, 0.25, 1.5, 30]);
const integers = values("int32", [-7, -1, 0, 2, 9]);

function unary(node: Unary, ...inputs: readonly Tensor[]): readonly OperatorCase[] {
  return inputs.map((x) => ({ of: `${x.type} [${x.shape.join(", ")}]`, inputs: [x], node }));
}

const operandPairs: readonly (readonly [string, Tensor, Tensor])[] = [
  ["equal shapes", scattered([2, 3]), scattered([2, 3], { seed: 2 })],
  ["a channel's vector", scattered([1, 3, 4, 5]), scattered([3, 1, 1], { seed: 2 })],
  ["both broadcast", scattered([4, 1]), scattered([5], { seed: 2 })],
  ["a scalar", scattered([2, 2]), values("float32", [0.75], [])],
  ["float64", values("float64", [1.1, -2.2]), values("float64", [0.3, 7.7])],
];

function binary(node: Binary, ...more: readonly (readonly [string, Tensor, Tensor])[]): readonly OperatorCase[] {
  return [...operandPairs, ...more].map(([of, a, b]) => ({ of, inputs: [a, b], node }));
}

const integerPairs: readonly (readonly [string, Tensor, Tensor])[] = [
  ["int32", integers, values("int32", [3, 3, 3, 3, 3])],
  ["int64", values("int64", [-7, 9]), values("int64", [2, 2])],
];
const ties: readonly [string, Tensor, Tensor] = [
  "ties",
  values("float32", [1, 2, 3, -0]),
  values("float32", [1, 3, 2, 0]),
];

const behind = { top: 0, left: 0, bottom: 3, right: 1 };
const uneven = { top: 0, left: 1, bottom: 2, right: 0 };
const around = { top: 1, left: 1, bottom: 1, right: 1 };
const beyond = { top: 3, left: 3, bottom: 3, right: 3 };

type WindowOptions = Omit<build.PoolingOptions, "dilations">;

function windows(node: (x: Node, options: WindowOptions) => Node, x: Tensor): readonly OperatorCase[] {
  const one = (of: string, options: WindowOptions): OperatorCase => {
    return { of, inputs: [x], node: (operand) => node(operand, options) };
  };
  return [
    one("2x2 / 2", { kernel: [2, 2], strides: [2, 2] }),
    one("3x3 / 2, pads", { kernel: [3, 3], strides: [2, 2], pads: around }),
    one("3x2 / 1x2, uneven pads", { kernel: [3, 2], strides: [1, 2], pads: uneven }),
    one("the whole", { kernel: [7, 6], strides: [1, 1] }),
  ];
}

const resizeChoices = (["nearest", "linear"] as const).flatMap((mode) =>
  (["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"] as const).flatMap((coordinates) =>
    (mode === "linear"
      ? (["floor"] as const)
      : (["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"] as const)
    ).map((rounding) => ({ mode, coordinates, rounding })),
  ),
);

const resizes = resizeChoices.flatMap((choice) =>
  (
    [
      [2, 2],
      [4, 1],
      [0.5, 1.5],
    ] as const
  ).map((scales) => ({
    of: `${choice.mode} ${choice.coordinates} ${choice.rounding} x [${scales.join(", ")}]`,
    scales,
    ...choice,
  })),
);

/** What a normalisation by its batch sums. */
function reductionsToChannels(node: (x: Node, axes: readonly number[]) => Node): readonly OperatorCase[] {
  return [1, 2, 8, 16].map((channels) => ({
    of: `all but ${channels} channels`,
    inputs: [scattered([3, channels, 8, 12])],
    node: (operand: Node) => node(operand, [0, 2, 3]),
  }));
}

function reductions(
  node: (x: Node, axes: readonly number[]) => Node,
  x = scattered([2, 3, 4, 5]),
): readonly OperatorCase[] {
  return [[2, 3], [0, 1, 2, 3], [1], [3]].map((axes) => ({
    of: `axes [${axes.join(", ")}]`,
    inputs: [x],
    node: (operand: Node) => node(operand, axes),
  }));
}

const wide = values("float64", [1e9, 0.5, -1e9, 0.25], [1, 1, 2, 2]);

/** What every engine must compute as the reference evaluator does. */
export const operatorCases: { readonly [O in OperatorName]: readonly OperatorCase[] } = {
  Input: (["float32", "float64", "int64", "int32", "uint8", "uint16", "bool"] as const).map((type) => ({
    of: `${type}, returned as it is`,
    inputs: [values(type, [0, 1, 1, 0, 1, 0], [2, 3])],
    node: (x: Node) => x,
  })),
  Constant: (["float32", "float64", "int64", "int32", "uint8", "uint16", "bool"] as const).map((type) => ({
    of: type,
    inputs: [],
    node: () => build.constant(values(type, [1, 0, 1])),
  })),
  Coordinate: [
    { of: "rows", inputs: [], node: () => build.coordinate({ axis: 2, rank: 4, size: 5 }) },
    {
      of: "columns, added",
      inputs: [scattered([1, 1, 2, 3])],
      node: (x) => build.add(x, build.coordinate({ axis: 3, rank: 4, size: 3 })),
    },
  ],

  Relu: unary(build.relu, mixed, image),
  LeakyRelu: unary((x) => build.leakyRelu(x, 0.1), mixed),
  Sigmoid: unary(build.sigmoid, mixed),
  Tanh: unary(build.tanh, mixed),
  Exp: unary(build.exp, scattered([9]), values("float64", [-1, 0, 1])),
  Log: unary(build.log, positive),
  Sqrt: unary(build.sqrt, positive),
  Abs: unary(build.abs, mixed, integers),
  Sign: unary(build.sign, mixed, integers),
  Floor: unary(build.floor, mixed),
  Round: unary(build.round, values("float32", [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 65534.5])),
  Clip: [
    ...unary((x) => build.clip(x, { min: -1, max: 1 }), mixed),
    ...unary((x) => build.clip(x, { min: 1e-6 }), mixed),
    ...unary((x) => build.clip(x, { max: 0.5 }), mixed),
  ],
  Cast: [
    ...(["float32", "float64", "int64", "int32", "uint8", "uint16", "bool"] as const).flatMap((to) =>
      unary((x) => build.cast(x, to), values("float32", [0, 1, 2.7, 250.2]), values("uint8", [0, 1, 255])).map(
        (one) => ({ ...one, of: `${one.of} to ${to}` }),
      ),
    ),
    ...unary((x) => build.cast(x, "float32"), values("uint16", [0, 1, 65535]), values("bool", [0, 1])),
    ...unary((x) => build.cast(x, "int32"), values("float32", [-1.7, -0.5, 0.5, 1.7])),
  ],

  Add: binary(build.add, ...integerPairs),
  Sub: binary(build.sub, ...integerPairs),
  Mul: binary(build.mul, ...integerPairs),
  Div: binary(build.div, ...integerPairs),
  Pow: [
    { of: "a cube", inputs: [mixed], node: (x) => build.pow(x, build.scalarConstant(3)) },
    { of: "a square", inputs: [mixed], node: (x) => build.pow(x, build.scalarConstant(2)) },
    { of: "a root", inputs: [positive], node: (x) => build.pow(x, build.scalarConstant(1 / 3)) },
    { of: "exponents", inputs: [positive, values("float32", [-1, 0, 1, 2.5, 0.5])], node: (a, b) => build.pow(a, b) },
  ],
  Maximum: binary(build.maximum, ties, ...integerPairs),
  Minimum: binary(build.minimum, ties, ...integerPairs),
  Equal: binary(build.equal, ties, ...integerPairs),
  Greater: binary(build.greater, ties, ...integerPairs),
  GreaterOrEqual: binary(build.greaterOrEqual, ties, ...integerPairs),

  Conv: [
    {
      of: "3x3 same",
      inputs: [image],
      node: (x) => build.conv(x, weight([4, 3, 3, 3]), weight([4]), { pads: around }),
    },
    { of: "no bias", inputs: [image], node: (x) => build.conv(x, weight([4, 3, 3, 3])) },
    {
      of: "by single pixels, of which some are taken, pads included, after another one",
      inputs: [image],
      node: (x) =>
        build.conv(build.conv(x, weight([4, 3, 3, 3]), weight([4])), weight([2, 4, 1, 1]), undefined, {
          strides: [2, 2],
          pads: { top: 1, left: 3, bottom: 2, right: 2 },
        }),
    },
    {
      of: "weights at run time",
      inputs: [image, scattered([2, 3, 1, 1], { seed: 3 }), scattered([2], { seed: 4 })],
      node: (x, w, b) => build.conv(x, w, b),
    },
    {
      of: "values with a factor for each channel, given at run time",
      inputs: [image, scattered([1, 3, 1, 1], { seed: 5 })],
      node: (x, factors) => {
        return build.conv(build.mul(factors, x), weight([4, 3, 3, 2]), weight([4]), { strides: [2, 1], pads: uneven });
      },
    },
    {
      of: "stride, dilation, uneven pads",
      inputs: [image],
      node: (x) => {
        return build.conv(x, weight([5, 3, 3, 2]), weight([5]), { strides: [2, 1], dilations: [1, 2], pads: uneven });
      },
    },
    {
      of: "a kernel of one pixel, pads behind",
      inputs: [image],
      node: (x) => build.conv(x, weight([4, 3, 1, 1]), weight([4]), { pads: behind }),
    },
    {
      of: "a kernel of one pixel, a Pad behind",
      inputs: [image],
      node: (x) => {
        const { bottom, right } = behind;
        return build.conv(
          build.pad(x, { before: [0, 0, 0, 0], after: [0, 0, bottom, right] }),
          weight([4, 3, 1, 1]),
          undefined,
        );
      },
    },
    {
      of: "a kernel as large as the image, pads behind",
      inputs: [image],
      node: (x) => build.conv(x, weight([4, 3, 7, 6]), weight([4]), { pads: behind }),
    },
    {
      of: "groups",
      inputs: [scattered([1, 4, 5, 5])],
      node: (x) => build.conv(x, weight([6, 2, 3, 3]), undefined, { group: 2 }),
    },
    {
      of: "depthwise",
      inputs: [image],
      node: (x) => build.conv(x, weight([3, 1, 3, 3]), weight([3]), { group: 3, pads: around }),
    },
    {
      of: "depthwise, two of each channel, strides",
      inputs: [image],
      node: (x) => build.conv(x, weight([6, 1, 3, 3]), weight([6]), { group: 3, pads: uneven, strides: [2, 2] }),
    },
    {
      of: "depthwise, unequal strides",
      inputs: [image],
      node: (x) => build.conv(x, weight([3, 1, 3, 2]), undefined, { group: 3, strides: [1, 2] }),
    },
    {
      of: "16 channels",
      inputs: [scattered([1, 16, 9, 9])],
      node: (x) => build.conv(x, weight([16, 16, 3, 3]), weight([16]), { pads: around }),
    },
  ],
  ConvTranspose: [
    {
      of: "2x2 / 2",
      inputs: [image],
      node: (x) => build.convTranspose(x, weight([3, 2, 2, 2]), weight([2]), { strides: [2, 2] }),
    },
    {
      of: "3x3 / 2, pads, output padding",
      inputs: [image],
      node: (x) =>
        build.convTranspose(x, weight([3, 2, 3, 3]), undefined, {
          strides: [2, 2],
          pads: around,
          outputPadding: [1, 1],
        }),
    },
    {
      of: "4x4 / 2, pads",
      inputs: [image],
      node: (x) => build.convTranspose(x, weight([3, 2, 4, 4]), weight([2]), { strides: [2, 2], pads: around }),
    },
    {
      of: "2x3 / 2x3, pads",
      inputs: [image],
      node: (x) => build.convTranspose(x, weight([3, 2, 2, 3]), undefined, { strides: [2, 3], pads: around }),
    },
    {
      of: "3x3, pads",
      inputs: [image],
      node: (x) => build.convTranspose(x, weight([3, 2, 3, 3]), weight([2]), { pads: uneven }),
    },
    {
      of: "1x1, pads",
      inputs: [image],
      node: (x) => build.convTranspose(x, weight([3, 2, 1, 1]), undefined, { pads: around }),
    },
    {
      of: "depthwise, strides",
      inputs: [image],
      node: (x) =>
        build.convTranspose(x, weight([3, 2, 3, 3]), weight([6]), { group: 3, strides: [2, 1], pads: around }),
    },
    {
      of: "groups, strides",
      inputs: [scattered([1, 4, 5, 5])],
      node: (x) => build.convTranspose(x, weight([4, 3, 3, 3]), undefined, { group: 2, strides: [2, 2] }),
    },
    {
      of: "7 x 11 windows",
      inputs: [scattered([1, 3, 7, 11])],
      node: (x) => build.convTranspose(x, weight([3, 2, 2, 2]), weight([2]), { strides: [2, 2] }),
    },
    {
      of: "7 x 11 windows, more cut off",
      inputs: [scattered([1, 3, 9, 13])],
      node: (x) => build.convTranspose(x, weight([3, 2, 4, 4]), weight([2]), { strides: [2, 2], pads: beyond }),
    },
    {
      of: "groups, dilation",
      inputs: [scattered([1, 4, 5, 5])],
      node: (x) => build.convTranspose(x, weight([4, 3, 2, 2]), weight([6]), { group: 2, dilations: [2, 1] }),
    },
  ],
  MaxPool: [
    ...windows(build.maxPool, image),
    {
      of: "dilated",
      inputs: [image],
      node: (x) => build.maxPool(x, { kernel: [2, 2], strides: [1, 1], dilations: [2, 2] }),
    },
  ],
  MaxPoolGradient: [
    {
      of: "2x2 / 2",
      inputs: [image, scattered([2, 3, 3, 3], { seed: 5 })],
      node: (x, gradient) => build.maxPoolGradient(x, gradient, { kernel: [2, 2], strides: [2, 2] }),
    },
    {
      of: "ties go to the first",
      inputs: [tensorOf("float32", [1, 1, 4, 4], new Float32Array(16)), scattered([1, 1, 2, 2], { seed: 5 })],
      node: (x, gradient) => build.maxPoolGradient(x, gradient, { kernel: [2, 2], strides: [2, 2] }),
    },
    {
      of: "overlapping 3x3 / 2, pads",
      inputs: [image, scattered([2, 3, 4, 3], { seed: 5 })],
      node: (x, gradient) => build.maxPoolGradient(x, gradient, { kernel: [3, 3], strides: [2, 2], pads: around }),
    },
    {
      of: "strides wider than the window",
      inputs: [image, scattered([2, 3, 4, 2], { seed: 5 })],
      node: (x, gradient) => build.maxPoolGradient(x, gradient, { kernel: [1, 2], strides: [2, 3] }),
    },
    {
      of: "dilated",
      inputs: [image, scattered([2, 3, 5, 4], { seed: 5 })],
      node: (x, gradient) => build.maxPoolGradient(x, gradient, { kernel: [2, 2], strides: [1, 1], dilations: [2, 2] }),
    },
  ],
  AveragePool: [
    ...windows(build.averagePool, image),
    {
      of: "pads are counted",
      inputs: [image],
      node: (x) => build.averagePool(x, { kernel: [3, 3], strides: [2, 2], pads: around, countIncludePad: true }),
    },
  ],
  Resize: resizes.map(({ of, ...options }) => ({
    of,
    inputs: [scattered([1, 2, 4, 6])],
    node: (x) => build.resize(x, options),
  })),
  ResizeGradient: resizes.map(({ of, ...options }) => ({
    of,
    inputs: [scattered([1, 2, 4 * options.scales[0], 6 * options.scales[1]], { seed: 3 })],
    node: (gradient) => build.resizeGradient(gradient, [4, 6], options),
  })),

  Pad: [
    {
      of: "constant",
      inputs: [image],
      node: (x) => build.pad(x, { before: [0, 0, 1, 0], after: [0, 1, 0, 2], value: 0.5 }),
    },
    {
      of: "edge",
      inputs: [image],
      node: (x) => build.pad(x, { before: [0, 0, 1, 2], after: [0, 0, 9, 3], mode: "edge" }),
    },
    {
      of: "reflect",
      inputs: [image],
      node: (x) => build.pad(x, { before: [0, 0, 2, 1], after: [0, 0, 3, 5], mode: "reflect" }),
    },
    {
      of: "bytes",
      inputs: [values("uint8", [1, 2, 3, 4], [2, 2])],
      node: (x) => build.pad(x, { before: [0, 1], after: [1, 0], mode: "edge" }),
    },
  ],
  Slice: [
    { of: "a region", inputs: [image], node: (x) => build.slice(x, { starts: [0, 1, 2, 0], sizes: [2, 2, 4, 3] }) },
    {
      of: "every second",
      inputs: [image],
      node: (x) => build.slice(x, { starts: [0, 0, 1, 0], sizes: [2, 3, 3, 3], steps: [1, 1, 2, 2] }),
    },
    {
      of: "backwards",
      inputs: [image],
      node: (x) => build.slice(x, { starts: [1, 0, 6, 4], sizes: [2, 3, 7, 3], steps: [-1, 1, -1, -2] }),
    },
  ],
  Concat: [
    { of: "channels", inputs: [image, scattered([2, 5, 7, 6], { seed: 2 })], node: (...all) => build.concat(all, 1) },
    { of: "the same twice", inputs: [image], node: (x) => build.concat([x, x, x], 3) },
  ],
  Reshape: [
    { of: "flat", inputs: [image], node: (x) => build.reshape(x, [2, 126]) },
    { of: "to a scalar", inputs: [values("float32", [3], [1, 1])], node: (x) => build.reshape(x, []) },
  ],
  Transpose: [
    {
      of: "HWC to CHW",
      inputs: [values("uint8", [1, 2, 3, 4, 5, 6], [1, 2, 3])],
      node: (x) => build.transpose(x, [2, 0, 1]),
    },
    { of: "all axes", inputs: [image], node: (x) => build.transpose(x, [3, 1, 0, 2]) },
  ],
  Expand: [
    { of: "a channel's vector", inputs: [scattered([1, 3, 1, 1])], node: (x) => build.expand(x, [2, 3, 4, 5]) },
    { of: "a new axis", inputs: [scattered([3])], node: (x) => build.expand(x, [2, 3]) },
  ],

  ReduceSum: [
    ...reductions(build.reduceSum),
    ...reductionsToChannels(build.reduceSum),
    { of: "float64", inputs: [wide], node: (x) => build.reduceSum(x, [2, 3]), largest: 1e9 },
    { of: "rows of a ReLU", inputs: [scattered([1, 5, 3, 36])], node: (x) => build.reduceSum(build.relu(x), [3]) },
    {
      of: "rows of a ReLU, a prime number of pixels wide",
      inputs: [scattered([1, 5, 3, 37])],
      node: (x) => build.reduceSum(build.relu(x), [3]),
    },
    { of: "int32", inputs: [integers], node: (x) => build.reduceSum(x, [0]) },
  ],
  ReduceMean: [...reductions(build.reduceMean), ...reductionsToChannels(build.reduceMean)],
  ReduceMax: [
    ...reductions(build.reduceMax),
    { of: "int32", inputs: [integers], node: (x) => build.reduceMax(x, [0]) },
  ],
  ReduceMin: [
    ...reductions(build.reduceMin),
    { of: "int32", inputs: [integers], node: (x) => build.reduceMin(x, [0]) },
  ],
  ReduceProd: reductions(build.reduceProd, scattered([2, 3, 2, 2])),
  ReduceLogSumExp: [
    ...reductions(build.reduceLogSumExp),
    {
      of: "large values",
      inputs: [values("float32", [500, 501, 499], [1, 3])],
      node: (x) => build.reduceLogSumExp(x, [1]),
    },
  ],
  ArgMax: [
    { of: "rows", inputs: [scattered([3, 40])], node: (x) => build.argMax(x, 1) },
    { of: "ties: the first", inputs: [values("float32", [1, 3, 3, 2, 3], [1, 5])], node: (x) => build.argMax(x, 1) },
    { of: "columns", inputs: [scattered([4, 5])], node: (x) => build.argMax(x, 0) },
  ],

  MatMul: [
    { of: "matrices", inputs: [scattered([3, 4]), scattered([4, 2], { seed: 2 })], node: (a, b) => build.matMul(a, b) },
    {
      of: "batches",
      inputs: [scattered([2, 1, 3, 4]), scattered([5, 4, 2], { seed: 2 })],
      node: (a, b) => build.matMul(a, b),
    },
    {
      of: "float64",
      inputs: [values("float64", [1, 2, 3, 4], [2, 2]), values("float64", [1, 0, 0, 1], [2, 2])],
      node: (a, b) => build.matMul(a, b),
    },
  ],
  Softmax: [
    { of: "the last axis", inputs: [scattered([2, 5])], node: (x) => build.softmax(x, 1) },
    { of: "channels", inputs: [image], node: (x) => build.softmax(x, 1) },
    { of: "large values", inputs: [values("float32", [800, 801], [1, 2])], node: (x) => build.softmax(x, 1) },
  ],
};

import { expect, test } from "vitest";
import * as build from "./build.ts";
import { graphOf } from "./graph.ts";
import type { Node } from "./node.ts";
import { evaluate, referenceRules } from "./reference.ts";
import { sizeOf, tensorOf } from "./tensor.ts";
import type { ElementType, Shape } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

function value(shape: Shape, data: readonly number[], type: ElementType = "float64"): Node {
  return build.constant(tensorOf(type, shape, data));
}

/** 1, 2, 3, … */
function counting(shape: Shape, first = 1): Node {
  return value(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, index) => first + index),
  );
}

function elements(node: Node): readonly number[] {
  return [...(evaluate(graphOf({ y: node }), {})["y"]?.data ?? [])];
}

interface Case {
  readonly of: string;
  readonly node: Node;
  readonly gives: readonly number[];
}

const x = value([5], [-2, -0.5, 0, 0.5, 3]);
const row = counting([1, 1, 1, 4]);
const square = counting([1, 1, 2, 2]);
const nine = counting([1, 1, 3, 3]);
const edges = { top: 1, left: 1, bottom: 1, right: 1 };

/** Expected values were worked out by hand (or are the standard's own examples), not with this code. */
const cases: { readonly [O in OperatorName]: readonly Case[] } = {
  Input: [],
  Constant: [
    { of: "its tensor", node: value([2], [1.5, -3]), gives: [1.5, -3] },
    { of: "integers", node: value([2], [7, -9], "int64"), gives: [7, -9] },
  ],
  Coordinate: [{ of: "indices", node: build.coordinate({ axis: 2, rank: 4, size: 3 }), gives: [0, 1, 2] }],
  Relu: [{ of: "signs", node: build.relu(x), gives: [0, 0, 0, 0.5, 3] }],
  LeakyRelu: [{ of: "signs", node: build.leakyRelu(x, 0.1), gives: [-0.2, -0.05, 0, 0.5, 3] }],
  Sigmoid: [
    { of: "large numbers", node: build.sigmoid(value([3], [-800, 0, 800])), gives: [0, 0.5, 1] },
    { of: "ln 3", node: build.sigmoid(value([2], [Math.log(3), -Math.log(3)])), gives: [0.75, 0.25] },
  ],
  Tanh: [{ of: "artanh 0.5", node: build.tanh(value([2], [0, Math.log(3) / 2])), gives: [0, 0.5] }],
  Exp: [{ of: "0 and 1", node: build.exp(value([2], [0, 1])), gives: [1, Math.E] }],
  Log: [{ of: "1 and e", node: build.log(value([2], [1, Math.E])), gives: [0, 1] }],
  Sqrt: [{ of: "squares", node: build.sqrt(value([2], [9, 0.25])), gives: [3, 0.5] }],
  Abs: [{ of: "signs", node: build.abs(x), gives: [2, 0.5, 0, 0.5, 3] }],
  Sign: [{ of: "signs", node: build.sign(x), gives: [-1, -1, 0, 1, 1] }],
  Floor: [{ of: "signs", node: build.floor(x), gives: [-2, -1, 0, 0, 3] }],
  Round: [
    {
      of: "halves to even",
      node: build.round(value([7], [-2.5, -1.5, 0.5, 1.5, 2.5, 2.4, -2.6])),
      gives: [-2, -2, 0, 2, 2, 2, -3],
    },
  ],
  Clip: [{ of: "both ends", node: build.clip(x, { min: -1, max: 0.25 }), gives: [-1, -0.5, 0, 0.25, 0.25] }],
  Cast: [
    { of: "towards zero", node: build.cast(value([3], [-1.7, 0.9, 2.2]), "int32"), gives: [-1, 0, 2] },
    { of: "to bytes", node: build.cast(value([3], [254.9, 255.5, 256]), "uint8"), gives: [254, 255, 0] },
    { of: "to 16 bits", node: build.cast(value([2], [65535.5, 65536]), "uint16"), gives: [65535, 0] },
    { of: "to 64 bits", node: build.cast(value([2], [-5e9 - 0.5, 3]), "int64"), gives: [-5e9, 3] },
    { of: "to bool", node: build.cast(value([3], [0, 0.5, -2]), "bool"), gives: [0, 1, 1] },
    { of: "to float32: not rounded", node: build.cast(value([1], [0.1]), "float32"), gives: [0.1] },
  ],
  Add: [
    {
      of: "a column and a row",
      node: build.add(value([2, 1], [10, 20]), value([3], [1, 2, 3])),
      gives: [11, 12, 13, 21, 22, 23],
    },
    { of: "bytes wrap", node: build.add(value([1], [250], "uint8"), value([1], [10], "uint8")), gives: [4] },
  ],
  Sub: [{ of: "a scalar", node: build.sub(value([2], [1, 2]), value([], [5])), gives: [-4, -3] }],
  Mul: [{ of: "one shape", node: build.mul(value([2], [2, 3]), value([2], [4, -1])), gives: [8, -3] }],
  Div: [
    { of: "numbers", node: build.div(value([2], [1, -3]), value([2], [4, 2])), gives: [0.25, -1.5] },
    {
      of: "integers: truncates",
      node: build.div(value([2], [7, -7], "int32"), value([1], [2], "int32")),
      gives: [3, -3],
    },
  ],
  Pow: [{ of: "roots and squares", node: build.pow(value([2], [9, 4]), value([2], [0.5, 2])), gives: [3, 16] }],
  Maximum: [{ of: "pairs", node: build.maximum(value([2], [1, 5]), value([2], [3, 2])), gives: [3, 5] }],
  Minimum: [{ of: "pairs", node: build.minimum(value([2], [1, 5]), value([2], [3, 2])), gives: [1, 2] }],
  Equal: [{ of: "pairs", node: build.equal(x, value([], [0.5])), gives: [0, 0, 0, 1, 0] }],
  Greater: [{ of: "pairs", node: build.greater(x, value([], [0])), gives: [0, 0, 0, 1, 1] }],
  GreaterOrEqual: [{ of: "pairs", node: build.greaterOrEqual(x, value([], [0])), gives: [0, 0, 1, 1, 1] }],

  Conv: [
    {
      of: "sums with zeros around",
      node: build.conv(nine, value([1, 1, 3, 3], Array(9).fill(1)), value([1], [100]), { pads: edges }),
      gives: [112, 121, 116, 127, 145, 133, 124, 139, 128],
    },
    {
      of: "correlation, not its mirror image",
      node: build.conv(row, value([1, 1, 1, 2], [10, 1])),
      gives: [12, 23, 34],
    },
    {
      of: "stride 2 and pads of one side",
      node: build.conv(row, value([1, 1, 1, 2], [10, 1]), undefined, {
        strides: [1, 2],
        pads: { top: 0, left: 1, bottom: 0, right: 0 },
      }),
      gives: [1, 23],
    },
    {
      of: "dilation",
      node: build.conv(row, value([1, 1, 1, 2], [10, 1]), undefined, { dilations: [1, 2] }),
      gives: [13, 24],
    },
    {
      of: "groups",
      node: build.conv(counting([1, 2, 1, 2]), value([4, 1, 1, 1], [1, 10, 100, 1000]), undefined, { group: 2 }),
      gives: [1, 2, 10, 20, 300, 400, 3000, 4000],
    },
    {
      of: "a sum over channels, two images",
      node: build.conv(counting([2, 2, 1, 1]), value([1, 2, 1, 1], [1, 10])),
      gives: [21, 43],
    },
  ],
  ConvTranspose: [
    {
      of: "stride 2: a kernel for each value",
      node: build.convTranspose(square, value([1, 1, 2, 2], [1, 10, 100, 1000]), undefined, { strides: [2, 2] }),
      gives: [1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000],
    },
    {
      of: "overlap, bias",
      node: build.convTranspose(counting([1, 1, 1, 3]), value([1, 1, 1, 2], [1, 10]), value([1], [1000])),
      gives: [1001, 1012, 1023, 1030],
    },
    {
      of: "pads and output padding",
      node: build.convTranspose(counting([1, 1, 1, 2]), value([1, 1, 1, 3], [1, 10, 100]), undefined, {
        strides: [1, 2],
        pads: { top: 0, left: 1, bottom: 0, right: 1 },
        outputPadding: [0, 1],
      }),
      gives: [10, 102, 20, 200],
    },
    {
      of: "groups",
      node: build.convTranspose(counting([1, 2, 1, 1]), value([2, 2, 1, 1], [1, 10, 100, 1000]), undefined, {
        group: 2,
      }),
      gives: [1, 10, 200, 2000],
    },
  ],
  MaxPool: [
    { of: "windows that overlap", node: build.maxPool(nine, { kernel: [2, 2], strides: [1, 1] }), gives: [5, 6, 8, 9] },
    {
      of: "pads are minus infinity",
      node: build.maxPool(value([1, 1, 1, 2], [-3, -2]), {
        kernel: [1, 2],
        strides: [1, 1],
        pads: { top: 0, left: 1, bottom: 0, right: 1 },
      }),
      gives: [-3, -2, -2],
    },
    { of: "dilation", node: build.maxPool(nine, { kernel: [2, 2], strides: [1, 1], dilations: [2, 2] }), gives: [9] },
  ],
  MaxPoolGradient: [
    {
      of: "ties: the first",
      node: build.maxPoolGradient(value([1, 1, 2, 2], [1, 7, 7, 7]), value([1, 1, 1, 1], [5]), { kernel: [2, 2] }),
      gives: [0, 5, 0, 0],
    },
    {
      of: "one maximum of several windows",
      node: build.maxPoolGradient(value([1, 1, 1, 3], [1, 9, 2]), value([1, 1, 1, 2], [3, 4]), {
        kernel: [1, 2],
        strides: [1, 1],
      }),
      gives: [0, 7, 0],
    },
  ],
  AveragePool: [
    {
      of: "pads that do not count",
      node: build.averagePool(nine, {
        kernel: [2, 2],
        strides: [2, 2],
        pads: { top: 1, left: 1, bottom: 0, right: 0 },
      }),
      gives: [1, 2.5, 5.5, 7],
    },
    {
      of: "pads that count",
      node: build.averagePool(nine, {
        kernel: [2, 2],
        strides: [2, 2],
        pads: { top: 1, left: 1, bottom: 0, right: 0 },
        countIncludePad: true,
      }),
      gives: [0.25, 1.25, 2.75, 7],
    },
  ],
  Resize: [
    { of: "nearest x2", node: build.resize(row, { scales: [1, 2] }), gives: [1, 1, 2, 2, 3, 3, 4, 4] },
    {
      of: "nearest, down by 0.6",
      node: build.resize(counting([1, 1, 2, 4]), { scales: [0.6, 0.6] }),
      gives: [1, 3],
    },
    {
      of: "nearest x5/3, asymmetric, floor",
      node: build.resize(counting([1, 1, 1, 6]), { scales: [1, 5 / 3], coordinates: "asymmetric", rounding: "floor" }),
      gives: [1, 1, 2, 2, 3, 4, 4, 5, 5, 6],
    },
    {
      of: "nearest x1.5, asymmetric, ceil",
      node: build.resize(row, { scales: [1, 1.5], coordinates: "asymmetric", rounding: "ceil" }),
      gives: [1, 2, 3, 3, 4, 4],
    },
    {
      of: "nearest to a half, preferring floor",
      node: build.resize(row, { scales: [1, 0.5], rounding: "round_prefer_floor" }),
      gives: [1, 3],
    },
    {
      of: "nearest to a half, preferring ceil",
      node: build.resize(row, { scales: [1, 0.5], rounding: "round_prefer_ceil" }),
      gives: [2, 4],
    },
    {
      of: "linear x2, half_pixel",
      node: build.resize(square, { scales: [2, 2], mode: "linear" }),
      gives: [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4],
    },
    {
      of: "linear x2, align_corners",
      node: build.resize(square, { scales: [1, 2], mode: "linear", coordinates: "align_corners" }),
      gives: [1, 4 / 3, 5 / 3, 2, 3, 10 / 3, 11 / 3, 4],
    },
    {
      of: "linear x2, asymmetric",
      node: build.resize(square, { scales: [1, 2], mode: "linear", coordinates: "asymmetric" }),
      gives: [1, 1.5, 2, 2, 3, 3.5, 4, 4],
    },
    {
      of: "linear to one column, pytorch_half_pixel",
      node: build.resize(row, { scales: [1, 0.25], mode: "linear", coordinates: "pytorch_half_pixel" }),
      gives: [1],
    },
    {
      of: "linear to one column, half_pixel",
      node: build.resize(row, { scales: [1, 0.25], mode: "linear" }),
      gives: [2.5],
    },
    {
      of: "linear, down by 0.6",
      node: build.resize(counting([1, 1, 2, 4]), { scales: [0.6, 0.6], mode: "linear" }),
      gives: [8 / 3, 13 / 3],
    },
  ],
  ResizeGradient: [
    {
      of: "nearest x2: sums",
      node: build.resizeGradient(counting([1, 1, 1, 4]), [1, 2], { scales: [1, 2] }),
      gives: [3, 7],
    },
    {
      of: "linear x2",
      node: build.resizeGradient(value([1, 1, 1, 4], [1, 10, 100, 1000]), [1, 2], { scales: [1, 2], mode: "linear" }),
      gives: [33.5, 1077.5],
    },
  ],

  Pad: [
    {
      of: "a constant",
      node: build.pad(square, { before: [0, 0, 1, 0], after: [0, 0, 0, 1], value: 9 }),
      gives: [9, 9, 9, 1, 2, 9, 3, 4, 9],
    },
    {
      of: "the edge",
      node: build.pad(value([3], [1, 2, 3]), { before: [2], after: [1], mode: "edge" }),
      gives: [1, 1, 1, 2, 3, 3],
    },
    {
      of: "a mirror",
      node: build.pad(value([3], [1, 2, 3]), { before: [2], after: [2], mode: "reflect" }),
      gives: [3, 2, 1, 2, 3, 2, 1],
    },
  ],
  Slice: [
    {
      of: "every second of a row",
      node: build.slice(nine, { starts: [0, 0, 1, 0], sizes: [1, 1, 1, 2], steps: [1, 1, 1, 2] }),
      gives: [4, 6],
    },
    {
      of: "backwards",
      node: build.slice(value([4], [1, 2, 3, 4]), { starts: [3], sizes: [3], steps: [-1] }),
      gives: [4, 3, 2],
    },
    { of: "nothing", node: build.slice(value([4], [1, 2, 3, 4]), { starts: [9], sizes: [0] }), gives: [] },
  ],
  Concat: [
    {
      of: "columns",
      node: build.concat([counting([2, 1]), counting([2, 2], 10)], 1),
      gives: [1, 10, 11, 2, 12, 13],
    },
  ],
  Reshape: [{ of: "a matrix", node: build.reshape(counting([2, 3]), [3, 2]), gives: [1, 2, 3, 4, 5, 6] }],
  Transpose: [
    {
      of: "three axes, in a cycle",
      node: build.transpose(counting([2, 1, 3]), [2, 0, 1]),
      gives: [1, 4, 2, 5, 3, 6],
    },
  ],
  Expand: [{ of: "a column", node: build.expand(value([2, 1], [1, 2]), [2, 2, 2]), gives: [1, 1, 2, 2, 1, 1, 2, 2] }],

  ReduceSum: [
    { of: "outer and inner axes", node: build.reduceSum(counting([2, 2, 2]), [0, 2]), gives: [14, 22] },
    { of: "the middle axis", node: build.reduceSum(counting([2, 2, 2]), [1]), gives: [4, 6, 12, 14] },
  ],
  ReduceMean: [{ of: "all axes", node: build.reduceMean(counting([2, 2]), [0, 1]), gives: [2.5] }],
  ReduceMax: [{ of: "negatives", node: build.reduceMax(value([2, 2], [-4, -3, -2, -5]), [1]), gives: [-3, -2] }],
  ReduceMin: [{ of: "negatives", node: build.reduceMin(value([2, 2], [-4, -3, -2, -5]), [0]), gives: [-4, -5] }],
  ReduceProd: [{ of: "rows", node: build.reduceProd(counting([2, 2]), [1]), gives: [2, 12] }],
  ReduceLogSumExp: [
    {
      of: "large and equal numbers",
      node: build.reduceLogSumExp(value([2, 2], [1000, 1000, -1000, -1000]), [1]),
      gives: [1000 + Math.LN2, -1000 + Math.LN2],
    },
    {
      of: "nothing but -Infinity",
      node: build.reduceLogSumExp(value([2], [-Infinity, -Infinity]), [0]),
      gives: [-Infinity],
    },
  ],
  ArgMax: [
    { of: "ties: the first", node: build.argMax(value([2, 3], [1, 5, 5, 7, 2, 7]), 1), gives: [1, 0] },
    { of: "an outer axis", node: build.argMax(value([2, 3], [1, 5, 5, 7, 2, 7]), 0), gives: [1, 0, 1] },
  ],
  MatMul: [
    {
      of: "matrices",
      node: build.matMul(counting([2, 2]), value([2, 3], [1, 10, 100, 2, 20, 200])),
      gives: [5, 50, 500, 11, 110, 1100],
    },
    {
      of: "one matrix with each of a batch",
      node: build.matMul(value([1, 2], [1, 10]), counting([2, 2, 1])),
      gives: [21, 43],
    },
  ],
  Softmax: [
    {
      of: "large numbers",
      node: build.softmax(value([2, 2], [1000, 1000, 0, Math.log(3)]), 1),
      gives: [0.5, 0.5, 0.25, 0.75],
    },
    {
      of: "an outer axis",
      node: build.softmax(value([2, 2], [5, 0, 5, Math.log(3)]), 0),
      gives: [0.5, 0.25, 0.5, 0.75],
    },
  ],
};

const named = Object.entries(cases).flatMap(([op, some]) =>
  some.map((one) => ({ title: `${op} of ${one.of}`, op, one })),
);

test.each(named.map((entry) => [entry.title, entry] as const))("%s", (_, { op, one: { node, gives } }) => {
  expect(node.op).toBe(op);
  const actual = elements(node);
  expect(actual).toHaveLength(gives.length);
  for (const [index, expected] of gives.entries()) {
    const got = actual[index] ?? Number.NaN;
    const close = got === expected || Math.abs(got - expected) <= 1e-12 * Math.max(1, Math.abs(expected));
    expect(close, `element ${index}: expected ${expected}, got ${got}`).toBe(true);
  }
});

test("every operator but Input has a case", () => {
  const without = Object.entries(cases).flatMap(([op, some]) => (some.length === 0 ? [op] : []));
  expect(without).toEqual(["Input"]);
  expect(Object.keys(referenceRules).sort()).toEqual(Object.keys(cases).sort());
});

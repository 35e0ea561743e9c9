import { describe, expect, it } from "vitest";
import * as build from "./build.ts";
import { backpropagate, expandTo, gradientRules } from "./gradient.ts";
import { graphOf } from "./graph.ts";
import type { Node } from "./node.ts";
import { evaluate } from "./reference.ts";
import type { ReferenceTensor } from "./reference.ts";
import { sizeOf } from "./tensor.ts";
import type { ElementType, Shape } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

/** One use of an operator. Values are random, away from kinks with probability 1. */
interface Law {
  readonly title: string;
  readonly operands: readonly Shape[];
  readonly apply: (...operands: readonly Node[]) => Node;
  /** What the random values in (-1, 1) become. */
  readonly values?: (random: number, index: number, operand: number) => number;
}

const image = [2, 4, 7, 9] as const;
const positive = (random: number): number => 1.1 + random;
const wide = (random: number): number => 5 * random;

function unary(apply: (x: Node) => Node, values?: (random: number) => number): readonly Law[] {
  return [{ title: "each element", operands: [[2, 3, 4]], apply, ...(values === undefined ? {} : { values }) }];
}

function binary(apply: (a: Node, b: Node) => Node, values?: (random: number) => number): readonly Law[] {
  const shapes: readonly (readonly [string, Shape, Shape])[] = [
    ["equal shapes", [2, 3, 4], [2, 3, 4]],
    ["a vector for each channel", [2, 3, 2, 2], [1, 3, 1, 1]],
    ["a shape of lower rank at the left", [3, 1], [2, 3, 4]],
    ["a scalar at the right", [2, 3], []],
    ["both broadcast", [2, 1, 3], [1, 4, 1]],
  ];
  const more = values === undefined ? {} : { values };
  return shapes.map(([title, a, b]) => ({ title, operands: [a, b], apply, ...more }));
}

function reduction(apply: (x: Node, axes: readonly number[]) => Node, values?: Law["values"]): readonly Law[] {
  const more = values === undefined ? {} : { values };
  return [[1], [2, 3], [0, 2], [0, 1, 2, 3]].map((axes) => ({
    title: `axes ${axes.join(", ")}`,
    operands: [[2, 3, 4, 5]],
    apply: (x) => apply(x, axes),
    ...more,
  }));
}

const pads = { top: 1, left: 2, bottom: 0, right: 1 };
const same = { top: 1, left: 1, bottom: 1, right: 1 };

function conv(title: string, weight: Shape, options: build.ConvolutionOptions = {}, shape: Shape = image): Law {
  return { title, operands: [shape, weight, [weight[0] ?? 0]], apply: (x, w, b) => build.conv(x, w, b, options) };
}

function convTranspose(title: string, weight: Shape, options: Parameters<typeof build.convTranspose>[3] = {}): Law {
  const outputs = (weight[1] ?? 0) * (options.group ?? 1);
  return {
    title,
    operands: [[2, 4, 4, 3], weight, [outputs]],
    apply: (x, w, b) => build.convTranspose(x, w, b, options),
  };
}

const maxPools: readonly (readonly [string, build.PoolingOptions])[] = [
  ["2x2", { kernel: [2, 2] }],
  ["overlapping windows", { kernel: [3, 3], strides: [2, 1] }],
  ["pads on three sides", { kernel: [3, 4], strides: [2, 2], pads }],
  ["dilated windows", { kernel: [2, 3], strides: [1, 2], dilations: [3, 2], pads: same }],
  [
    "windows that reach beyond the border (a ceil shape)",
    { kernel: [2, 2], pads: { top: 0, left: 0, bottom: 1, right: 1 } },
  ],
];

const averagePools: readonly (readonly [string, Parameters<typeof build.averagePool>[1]])[] = [
  ["2x2, rows and columns left over", { kernel: [2, 2] }],
  ["windows that tile the image", { kernel: [7, 3] }],
  ["the whole image", { kernel: [7, 9] }],
  ["overlapping windows", { kernel: [3, 3], strides: [2, 1] }],
  ["windows with gaps", { kernel: [1, 2], strides: [2, 3] }],
  ["stride 1 and pads that don't count", { kernel: [3, 3], strides: [1, 1], pads: same }],
  ["pads that count", { kernel: [3, 3], strides: [2, 2], pads: same, countIncludePad: true }],
  ["asymmetric pads that don't count", { kernel: [3, 4], strides: [2, 3], pads }],
  ["a ceil shape", { kernel: [2, 2], pads: { top: 0, left: 0, bottom: 1, right: 1 } }],
];

const resizes: readonly (readonly [string, build.ResizeOptions])[] = [
  ["nearest, twice as large", { scales: [2, 2], coordinates: "asymmetric", rounding: "floor" }],
  ["nearest, half-pixel, 3 and 1 times as large", { scales: [3, 1] }],
  ["nearest, ceil, which shifts the blocks", { scales: [2, 2], coordinates: "asymmetric", rounding: "ceil" }],
  ["nearest, broken scales", { scales: [1.5, 2.25], rounding: "round_prefer_ceil" }],
  ["nearest, smaller", { scales: [0.5, 0.7], coordinates: "asymmetric", rounding: "floor" }],
  ["nearest, corners aligned", { scales: [2, 2], coordinates: "align_corners" }],
  ["linear, twice as large", { scales: [2, 2], mode: "linear" }],
  [
    "linear, PyTorch's half pixel, broken scales",
    { scales: [1.5, 0.4], mode: "linear", coordinates: "pytorch_half_pixel" },
  ],
  ["linear, corners aligned", { scales: [2, 3], mode: "linear", coordinates: "align_corners" }],
];

/** Output extents of `options` on 4 x 5. */
function resizedShape(options: build.ResizeOptions): Shape {
  return build.resize(build.input("x", { type: "float64", shape: [2, 3, 4, 5] }), options).shape;
}

function pooledShape(options: build.PoolingOptions): Shape {
  return build.maxPool(build.input("x", { type: "float64", shape: image }), options).shape;
}

const laws: { readonly [O in OperatorName]?: readonly Law[] } = {
  Relu: unary((x) => build.relu(x)),
  LeakyRelu: [0.1, -0.5, 1.5].map((slope) => ({
    title: `slope ${slope}`,
    operands: [[3, 4]],
    apply: (x) => build.leakyRelu(x, slope),
  })),
  Sigmoid: unary((x) => build.sigmoid(x), wide),
  Tanh: unary((x) => build.tanh(x)),
  Exp: unary((x) => build.exp(x)),
  Log: unary((x) => build.log(x), positive),
  Sqrt: unary((x) => build.sqrt(x), positive),
  Abs: unary((x) => build.abs(x)),
  Clip: [{ min: -0.5, max: 0.25 }, { min: 0 }, { max: 0.5 }, {}].map((range) => ({
    title: `range ${JSON.stringify(range)}`,
    operands: [[3, 4]],
    apply: (x) => build.clip(x, range),
  })),
  Cast: unary((x) => build.cast(x, x.type === "float64" ? "float32" : "float64")),

  Add: binary((a, b) => build.add(a, b)),
  Sub: binary((a, b) => build.sub(a, b)),
  Mul: [...binary((a, b) => build.mul(a, b)), ...unary((x) => build.mul(x, x))],
  Div: binary((a, b) => build.div(a, b), positive),
  Pow: [
    ...binary((a, b) => build.pow(a, b), positive),
    ...[2, 3, 1, -1.5, 0].map((exponent) => ({
      title: `the constant exponent ${exponent}`,
      operands: [[2, 3]],
      apply: (x: Node) => build.pow(x, build.scalarLike(x, exponent)),
      values: positive,
    })),
  ],
  Maximum: binary((a, b) => build.maximum(a, b)),
  Minimum: binary((a, b) => build.minimum(a, b)),

  Conv: [
    conv("3x3", [3, 4, 3, 3], { pads: same }),
    conv("1x1", [3, 4, 1, 1]),
    conv("1x3, one row at a time", [3, 4, 1, 3], { pads: { ...same, top: 0, bottom: 0 } }),
    conv("no pads, an even kernel", [2, 4, 2, 4]),
    conv("asymmetric pads", [2, 4, 3, 2], { pads }),
    conv("pads wider than the kernel", [2, 4, 1, 2], { pads: { top: 2, left: 1, bottom: 1, right: 3 } }),
    conv("strides that leave rows over", [3, 4, 3, 3], { strides: [2, 3], pads }),
    conv("a stride along one axis only", [3, 4, 1, 2], { strides: [1, 2] }),
    conv("1x1 with a stride", [3, 4, 1, 1], { strides: [3, 2] }),
    conv("dilations", [3, 4, 3, 2], { dilations: [2, 3], pads }),
    conv("strides and dilations", [3, 4, 3, 2], { strides: [2, 2], dilations: [2, 3], pads: same }),
    conv("groups", [6, 2, 3, 3], { group: 2, pads: same }),
    conv("groups, strides and dilations", [6, 2, 2, 3], { group: 2, strides: [2, 1], dilations: [1, 2], pads }),
    conv("a group for each channel", [4, 1, 3, 3], { group: 4, pads: same }),
    conv("one image", [3, 4, 3, 3], { pads: same }, [1, 4, 5, 6]),
    { title: "no bias", operands: [image, [3, 4, 2, 2]], apply: (x, w) => build.conv(x, w) },
  ],
  ConvTranspose: [
    convTranspose("2x2, stride 2", [4, 3, 2, 2], { strides: [2, 2] }),
    convTranspose("3x3, stride 1", [4, 3, 3, 3]),
    convTranspose("1x1", [4, 3, 1, 1]),
    convTranspose("strides, pads and output padding", [4, 3, 3, 3], {
      strides: [2, 3],
      pads: same,
      outputPadding: [1, 2],
    }),
    convTranspose("asymmetric pads", [4, 3, 4, 5], { strides: [2, 1], pads }),
    convTranspose("dilations", [4, 3, 3, 2], { strides: [1, 2], dilations: [2, 3] }),
    convTranspose("output padding of a whole stride", [4, 3, 2, 2], { dilations: [3, 3], outputPadding: [1, 2] }),
    convTranspose("strides wider than the kernel", [4, 3, 2, 1], { strides: [3, 3], outputPadding: [0, 1] }),
    convTranspose("groups", [4, 3, 3, 2], { strides: [2, 2], group: 2, pads: same }),
    {
      title: "no bias",
      operands: [
        [2, 4, 3, 3],
        [4, 3, 2, 2],
      ],
      apply: (x, w) => build.convTranspose(x, w),
    },
  ],
  MaxPool: maxPools.map(([title, options]) => ({ title, operands: [image], apply: (x) => build.maxPool(x, options) })),
  MaxPoolGradient: maxPools.map(([title, options]) => ({
    title,
    operands: [image, pooledShape(options)],
    apply: (x, gradient) => build.maxPoolGradient(x, gradient, options),
  })),
  AveragePool: averagePools.map(([title, options]) => ({
    title,
    operands: [image],
    apply: (x) => build.averagePool(x, options),
  })),
  Resize: resizes.map(([title, options]) => ({
    title,
    operands: [[2, 3, 4, 5]],
    apply: (x) => build.resize(x, options),
  })),
  ResizeGradient: resizes.map(([title, options]) => ({
    title,
    operands: [resizedShape(options)],
    apply: (gradient) => build.resizeGradient(gradient, [4, 5], options),
  })),

  Pad: (["constant", "edge", "reflect"] as const).flatMap((mode) => [
    {
      title: `${mode}, image axes`,
      operands: [[2, 3, 4, 5]],
      apply: (x: Node) => build.pad(x, { before: [0, 0, 1, 3], after: [0, 0, 2, 1], mode, value: 0.5 }),
    },
    {
      title: `${mode}, one side, as far as it goes`,
      operands: [[3, 4]],
      apply: (x: Node) => build.pad(x, { after: [2, 3], mode }),
    },
  ]),
  Slice: [
    {
      title: "a part",
      operands: [image],
      apply: (x) => build.slice(x, { starts: [0, 1, 2, 0], sizes: [2, 2, 3, 9] }),
    },
    {
      title: "every second and third pixel",
      operands: [image],
      apply: (x) => build.slice(x, { starts: [0, 0, 1, 0], sizes: [2, 4, 3, 3], steps: [1, 1, 2, 3] }),
    },
    {
      title: "backwards, whole",
      operands: [image],
      apply: (x) => build.slice(x, { starts: [1, 0, 6, 8], sizes: [2, 4, 7, 9], steps: [-1, 1, -1, -1] }),
    },
    {
      title: "backwards in steps, on any axis",
      operands: [[5, 4, 6]],
      apply: (x) => build.slice(x, { starts: [4, 3, 1], sizes: [3, 2, 2], steps: [-2, -3, 4] }),
    },
    {
      title: "one position, with a step that leads nowhere",
      operands: [[5, 4]],
      apply: (x) => build.slice(x, { starts: [2, 0], sizes: [1, 4], steps: [-7, 1] }),
    },
  ],
  Concat: [
    {
      title: "channels",
      operands: [
        [2, 3, 2, 2],
        [2, 1, 2, 2],
        [2, 2, 2, 2],
      ],
      apply: (...operands) => build.concat(operands, 1),
    },
    {
      title: "an operand twice",
      operands: [
        [2, 3],
        [2, 1],
      ],
      apply: (a, b) => build.concat([a, b, a], 1),
    },
  ],
  Reshape: [
    { title: "flattening", operands: [[2, 3, 2, 2]], apply: (x) => build.reshape(x, [2, 12]) },
    { title: "pixels in one axis", operands: [[2, 3, 4, 5]], apply: (x) => build.reshape(x, [2, 3, 20]) },
    { title: "pixels in two axes", operands: [[2, 3, 20]], apply: (x) => build.reshape(x, [2, 3, 4, 5]) },
    { title: "axes that mix", operands: [[2, 3, 4]], apply: (x) => build.reshape(x, [6, 2, 2]) },
    { title: "axes that match nowhere", operands: [[2, 3]], apply: (x) => build.reshape(x, [3, 2]) },
    { title: "axes of one added", operands: [[2, 3]], apply: (x) => build.reshape(x, [1, 2, 1, 3, 1]) },
    { title: "axes of one taken away", operands: [[1, 2, 1, 3, 1]], apply: (x) => build.reshape(x, [2, 3]) },
    { title: "one value, no axes", operands: [[1, 1]], apply: (x) => build.reshape(x, []) },
  ],
  Transpose: [
    { title: "three axes round", operands: [[2, 3, 4]], apply: (x) => build.transpose(x, [2, 0, 1]) },
    { title: "pixels last", operands: [[2, 3, 4, 5]], apply: (x) => build.transpose(x, [0, 2, 3, 1]) },
  ],
  Expand: [
    { title: "axes of one", operands: [[2, 1, 3, 1]], apply: (x) => build.expand(x, [2, 4, 3, 2]) },
    { title: "new axes", operands: [[3, 1]], apply: (x) => build.expand(x, [2, 3, 4]) },
  ],

  ReduceSum: reduction((x, axes) => build.reduceSum(x, axes)),
  ReduceMean: reduction((x, axes) => build.reduceMean(x, axes)),
  ReduceMax: reduction((x, axes) => build.reduceMax(x, axes)),
  ReduceMin: reduction((x, axes) => build.reduceMin(x, axes)),
  ReduceProd: [
    ...reduction((x, axes) => build.reduceProd(x, axes), positive),
    {
      title: "none, one or two zeros among the factors",
      operands: [[3, 4]],
      apply: (x) => build.reduceProd(x, [1]),
      values: (random, index) => ([5, 8, 10].includes(index) ? 0 : random),
    },
  ],
  ReduceLogSumExp: reduction((x, axes) => build.reduceLogSumExp(x, axes), wide),

  MatMul: [
    {
      title: "matrices",
      operands: [
        [3, 4],
        [4, 2],
      ],
      apply: (a, b) => build.matMul(a, b),
    },
    {
      title: "batches",
      operands: [
        [2, 3, 4],
        [2, 4, 5],
      ],
      apply: (a, b) => build.matMul(a, b),
    },
    {
      title: "one matrix for all batches",
      operands: [
        [2, 5, 3, 4],
        [4, 2],
      ],
      apply: (a, b) => build.matMul(a, b),
    },
    {
      title: "batches that broadcast",
      operands: [
        [2, 1, 3, 4],
        [3, 4, 2],
      ],
      apply: (a, b) => build.matMul(a, b),
    },
    {
      title: "vectors",
      operands: [
        [1, 4],
        [4, 1],
      ],
      apply: (a, b) => build.matMul(a, b),
    },
  ],
  Softmax: [0, 1, 2].map((axis) => ({
    title: `axis ${axis}`,
    operands: [[2, 3, 4]],
    apply: (x) => build.softmax(x, axis),
    values: wide,
  })),
};

/** Operators that have no operand, or whose value changes in steps: no gradient passes them. */
const withoutGradient: { readonly [O in OperatorName]?: (x: Node) => Node } = {
  Input: (x) => build.input("other", { type: x.type, shape: x.shape }),
  Constant: (x) => build.scalarLike(x, 1),
  Coordinate: () => build.coordinate({ axis: 0, rank: 2, size: 3 }),
  Sign: (x) => build.sign(x),
  Floor: (x) => build.floor(x),
  Round: (x) => build.round(x),
  Equal: (x) => build.equal(x, x),
  Greater: (x) => build.greater(x, build.scalarLike(x, 0)),
  GreaterOrEqual: (x) => build.greaterOrEqual(x, build.scalarLike(x, 0)),
  ArgMax: (x) => build.argMax(x, 1),
};

/** Numbers in (-1, 1), the same in every run. */
function randomNumbers(count: number, seed: number): Float64Array {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  });
}

type Values = Readonly<Record<string, ReferenceTensor>>;

function operandsOf(law: Law, type: ElementType): { readonly nodes: readonly Node[]; readonly values: Values } {
  const nodes = law.operands.map((shape, index) => build.input(`x${index}`, { type, shape }));
  const values = law.operands.map((shape, operand) => {
    const random = randomNumbers(sizeOf(shape), operand + 1);
    return [`x${operand}`, { shape, data: random.map((x, index) => law.values?.(x, index, operand) ?? x) }] as const;
  });
  return { nodes, values: Object.fromEntries(values) };
}

function valueOf(node: Node, values: Values): Float64Array {
  return evaluate(graphOf({ value: node }), values)["value"]?.data ?? new Float64Array();
}

/** d<cotangent, y>/dx by central differences. */
function centralDifferences(y: Node, name: string, values: Values, cotangent: Float64Array): Float64Array {
  const step = 1e-5;
  const x = values[name]?.data ?? new Float64Array();
  const objective = (data: Float64Array): number => {
    const moved = { ...values, [name]: { shape: values[name]?.shape ?? [], data } };
    return valueOf(y, moved).reduce((sum, value, index) => sum + value * (cotangent[index] ?? 0), 0);
  };
  return x.map(
    (value, index) => (objective(x.with(index, value + step)) - objective(x.with(index, value - step))) / (2 * step),
  );
}

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const worst = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - (expected[index] ?? 0))), 0);
  // Written so that NaN fails.
  if (!(worst <= tolerance * scale)) expect([...actual]).toEqual([...expected]);
}

function expectLaw(y: Node, operands: readonly Node[], values: Values): void {
  const cotangent = build.input("cotangent", { type: y.type, shape: y.shape });
  const data = randomNumbers(sizeOf(y.shape), 99);
  const gradients = backpropagate(new Map([[y, cotangent]]), operands);
  const fed = { ...values, cotangent: { shape: y.shape, data } };
  for (const [index, operand] of operands.entries()) {
    const gradient = gradients[index];
    const expected = centralDifferences(y, operand.name, values, data);
    const actual = gradient === undefined ? expected.map(() => 0) : valueOf(expandTo(gradient, operand.shape), fed);
    expectClose(actual, expected, 1e-7);
  }
}

/** Shapes in which a cotangent of `shape` may be left unexpanded. */
function unexpandedShapes(shape: Shape): readonly Shape[] {
  const single = shape.map((_, axis) => shape.with(axis, 1));
  const onlyChannels = shape.map((extent, axis) => (axis === 1 ? extent : 1));
  return [[], shape.map(() => 1), onlyChannels, onlyChannels.slice(1), ...single];
}

describe("the gradient of every operator", () => {
  it("is either tested against central differences or listed as absent", () => {
    const listed = [...Object.keys(laws), ...Object.keys(withoutGradient)];
    expect(listed.toSorted()).toEqual(Object.keys(gradientRules).toSorted());
  });

  describe.each(Object.entries(laws))("%s", (op, cases) => {
    it.each(cases.map((law) => [law.title, law] as const))("equals central differences: %s", (_, law) => {
      const { nodes, values } = operandsOf(law, "float64");
      const y = law.apply(...nodes);
      expect(y.op).toBe(op);
      expectLaw(y, nodes, values);
    });

    it.each(cases.map((law) => [law.title, law] as const))("is the same for an unexpanded cotangent: %s", (_, law) => {
      const { nodes, values } = operandsOf(law, "float64");
      const y = law.apply(...nodes);
      for (const shape of unexpandedShapes(y.shape)) {
        const cotangent = build.input("cotangent", { type: y.type, shape });
        const fed = { ...values, cotangent: { shape, data: randomNumbers(sizeOf(shape), 7) } };
        const kept = backpropagate(new Map([[y, cotangent]]), nodes);
        const full = backpropagate(new Map([[y, expandTo(cotangent, y.shape)]]), nodes);
        for (const [index, operand] of nodes.entries()) {
          const [unexpanded, expanded] = [kept[index], full[index]];
          expect(unexpanded === undefined).toBe(expanded === undefined);
          if (unexpanded === undefined || expanded === undefined) continue;
          expectClose(
            valueOf(expandTo(unexpanded, operand.shape), fed),
            valueOf(expandTo(expanded, operand.shape), fed),
            1e-12,
          );
        }
      }
    });

    it.each(["float32", "float64"] as const)("has its operand's rank and type: %s", (type) => {
      for (const law of cases) {
        const { nodes } = operandsOf(law, type);
        const y = law.apply(...nodes);
        const cotangent = build.input("cotangent", { type: y.type, shape: y.shape });
        for (const [index, gradient] of backpropagate(new Map([[y, cotangent]]), nodes).entries()) {
          const operand = nodes[index];
          if (gradient === undefined || operand === undefined) continue;
          expect(gradient.type).toBe(operand.type);
          expect(gradient.shape).toHaveLength(operand.shape.length);
          expect(gradient.shape.every((extent, axis) => extent === 1 || extent === operand.shape[axis])).toBe(true);
        }
      }
    });
  });

  it.each(Object.entries(withoutGradient))("%s passes none", (op, apply) => {
    const x = build.input("x", { type: "float32", shape: [3, 4] });
    const y = apply(x);
    expect(y.op).toBe(op);
    // int64 has no gradient to start with; as float32 it still has none to pass on.
    const value = build.cast(y, "float32");
    const cotangent = build.input("cotangent", { type: value.type, shape: value.shape });
    expect(backpropagate(new Map([[value, cotangent]]), [x])).toEqual([undefined]);
  });
});

/** A U-Net of depth 1 that classifies, with the parameters as operands. */
const unet: Law = {
  title: "a small U-Net classifier",
  operands: [[2, 2, 6, 8], [3, 2, 3, 3], [3], [4, 3, 3, 3], [4], [4, 3, 2, 2], [3], [4, 6, 3, 3], [4], [4, 3], [3]],
  apply: (x, w1, b1, w2, b2, w3, b3, w4, b4, w5, b5) => {
    const encoded = build.relu(build.conv(x, w1, b1, { pads: same }));
    const bottom = build.tanh(build.conv(build.maxPool(encoded, { kernel: [2, 2] }), w2, b2, { pads: same }));
    const up = build.convTranspose(bottom, w3, b3, { strides: [2, 2] });
    const decoded = build.leakyRelu(build.conv(build.concat([encoded, up], 1), w4, b4, { pads: same }), 0.1);
    const pooled = build.reshape(build.reduceMean(decoded, [2, 3]), [2, 4]);
    return build.softmax(build.add(build.matMul(pooled, w5), b5), 1);
  },
};

/** A gradient itself: what is differentiated again. */
const inputGradient: Law = {
  title: "the gradient of a network",
  operands: [
    [1, 2, 5, 6],
    [2, 2, 3, 3],
  ],
  apply: (x, w) => {
    const features = build.sigmoid(build.conv(x, w, undefined, { pads: same }));
    const y = build.tanh(build.maxPool(features, { kernel: [2, 2] }));
    const [gradient] = backpropagate(new Map([[y, build.scalarLike(y, 1)]]), [x]);
    return gradient === undefined ? x : expandTo(gradient, x.shape);
  },
};

describe("the gradient of a composition", () => {
  it.each([unet, inputGradient])("equals central differences, to every operand: $title", (law) => {
    const { nodes, values } = operandsOf(law, "float64");
    expectLaw(law.apply(...nodes), nodes, values);
  });

  it("adds the gradients of all the ways and of all the outputs", () => {
    const x = build.input("x", { type: "float64", shape: [2, 3] });
    const values = { x: { shape: x.shape, data: randomNumbers(6, 1) } };
    const shared = build.exp(x);
    const outputs = [build.mul(shared, x), build.reduceSum(shared, [1]), shared];
    const weights = outputs.map((y, index) => build.scalarLike(y, index + 1));
    const [gradient] = backpropagate(new Map(outputs.map((y, index) => [y, weights[index] ?? y])), [x]);
    const weighted = outputs.map((y, index) => build.reduceSum(build.mul(y, weights[index] ?? y), [0, 1]));
    const total = weighted.reduce((a, b) => build.add(a, b));
    const expected = centralDifferences(total, "x", values, Float64Array.of(1));
    expectClose(
      gradient === undefined ? new Float64Array() : valueOf(expandTo(gradient, x.shape), values),
      expected,
      1e-7,
    );
  });
});

import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import * as build from "../../graph/build.ts";
import { graphOf, topologicalOrder } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Node, NodeOf } from "../../graph/node.ts";
import { evaluate } from "../../graph/reference.ts";
import type { ReferenceTensor } from "../../graph/reference.ts";
import { sizeOf, tensorOf } from "../../graph/tensor.ts";
import type { ElementType, Shape, Tensor } from "../../graph/tensor.ts";
import type { OperatorName } from "../../graph/vocabulary.ts";
import { encodeOnnx } from "./encode.ts";
import { openOnnx } from "./onnx-file.ts";
import { readModelProto } from "./proto-reader.ts";
import { readOnnxGraph } from "./read-graph.ts";

/** Numbers in 0..1 by a linear congruential generator (Numerical Recipes). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  next();
  return next;
}

function given(shape: Shape, type: ElementType = "float32", name = "x"): NodeOf<"Input"> {
  return build.input(name, { type, shape });
}

const image = given([2, 3, 7, 9]);
const other = given([2, 3, 7, 9], "float32", "y");
const row = given([1, 3, 1, 9], "float32", "y");
const whole = given([2, 3, 7, 9], "int64");
const positive = build.add(build.abs(image), build.scalarConstant(0.25));
/** Few distinct values, so that windows have several equal maxima. */
const tied = build.round(image);

function constantOf(shape: Shape, seed: number): Node {
  const next = seededRandom(seed);
  return build.constant(
    tensorOf(
      "float32",
      shape,
      Array.from({ length: sizeOf(shape) }, () => next() * 2 - 1),
    ),
  );
}

const pads = { top: 1, left: 2, bottom: 0, right: 1 };

function poolGradient(x: Node, options: build.PoolingOptions): Node {
  const { shape } = build.maxPool(x, options);
  return build.maxPoolGradient(x, given(shape, "float32", "gradient"), options);
}

function resizeGradient(extent: readonly [number, number], options: build.ResizeOptions): Node {
  const { shape } = build.resize(given([2, 3, ...extent]), options);
  return build.resizeGradient(given(shape, "float32", "gradient"), extent, options);
}

function reductions(reduce: (x: Node, axes: readonly number[]) => Node): Readonly<Record<string, Node>> {
  return {
    "over the image": reduce(positive, [2, 3]),
    "over one axis": reduce(image, [1]),
    "over all axes": reduce(positive, [0, 1, 2, 3]),
    "in float64": reduce(build.cast(image, "float64"), [2, 3]),
  };
}

function comparisons(compare: (a: Node, b: Node) => Node): Readonly<Record<string, Node>> {
  return {
    "of tied values": compare(tied, build.round(other)),
    broadcast: compare(tied, build.round(row)),
    "of int64": compare(whole, given([2, 3, 1, 1], "int64", "y")),
  };
}

function arithmetic(combine: (a: Node, b: Node) => Node): Readonly<Record<string, Node>> {
  return {
    "of one shape": combine(image, other),
    broadcast: combine(image, row),
    "with itself": combine(image, image),
    "in float64": combine(build.cast(image, "float64"), build.cast(other, "float64")),
    "of int64": combine(whole, given([2, 3, 7, 9], "int64", "y")),
  };
}

const half = { mode: "linear", scales: [2, 2] } as const;

/** At least one value of each operator, in every variant of its attributes. */
const variants: { readonly [O in OperatorName]: Readonly<Record<string, Node>> } = {
  Input: { "as an output": image, "of uint8": given([2, 3], "uint8"), "of uint16": given([2, 3], "uint16") },
  Constant: {
    "of each type": build.concat(
      (["float32", "float64", "int64", "int32", "uint8", "uint16", "bool"] as const).map((type) =>
        build.cast(build.constant(tensorOf(type, [3], [0, 1, 1])), "float32"),
      ),
      0,
    ),
    scalar: build.add(image, build.scalarConstant(1.5)),
    "as an output": build.vectorConstant([1, 2, 3]),
  },
  Coordinate: {
    "of rows": build.add(image, build.coordinate({ axis: 2, rank: 4, size: 7 })),
    "of columns": build.mul(image, build.coordinate({ axis: 3, rank: 4, size: 9 })),
  },
  Relu: { plain: build.relu(image) },
  LeakyRelu: { "slope 0.01": build.leakyRelu(image, 0.01), "slope -1": build.leakyRelu(image, -1) },
  Sigmoid: { plain: build.sigmoid(image) },
  Tanh: { plain: build.tanh(image) },
  Exp: { plain: build.exp(image) },
  Log: { plain: build.log(positive) },
  Sqrt: { plain: build.sqrt(positive) },
  Abs: { plain: build.abs(image) },
  Sign: { plain: build.sign(tied) },
  Floor: { plain: build.floor(image) },
  Round: {
    "halves to even": build.round(
      build.mul(build.round(build.mul(image, build.scalarConstant(2))), build.scalarConstant(0.5)),
    ),
  },
  Clip: {
    "both limits": build.clip(image, { min: -0.5, max: 0.75 }),
    "only a lower limit": build.clip(image, { min: 0.1 }),
    "only an upper limit": build.clip(image, { max: 0.1 }),
    "no limits": build.clip(image, {}),
    "of int64": build.clip(whole, { min: -1, max: 2 }),
  },
  Cast: {
    "uint8 to float32": build.cast(given([2, 5, 4], "uint8"), "float32"),
    "uint16 to float32": build.cast(given([2, 5, 4], "uint16"), "float32"),
    "int64 to float32": build.cast(whole, "float32"),
    "float32 to int64": build.cast(build.mul(image, build.scalarConstant(3)), "int64"),
    "float32 to int32": build.cast(build.mul(image, build.scalarConstant(3)), "int32"),
    "float32 to uint8": build.cast(build.mul(positive, build.scalarConstant(90)), "uint8"),
    "float32 to uint16": build.cast(build.mul(build.abs(tied), build.scalarConstant(30_000.5)), "uint16"),
    "float32 to bool and back": build.cast(build.cast(tied, "bool"), "float32"),
    "float32 to float64": build.cast(image, "float64"),
    "float64 to float32": build.cast(build.cast(image, "float64"), "float32"),
  },
  Add: arithmetic(build.add),
  Sub: arithmetic(build.sub),
  Mul: arithmetic(build.mul),
  Div: {
    "of floats": build.div(image, build.add(build.abs(other), build.scalarConstant(0.5))),
    "by a constant": build.div(image, build.scalarConstant(3)),
  },
  Pow: {
    "to a constant": build.pow(positive, build.scalarConstant(3)),
    "to each value": build.pow(positive, other),
    "of a negative base": build.pow(image, build.scalarConstant(2)),
  },
  Maximum: arithmetic(build.maximum),
  Minimum: arithmetic(build.minimum),
  Equal: comparisons(build.equal),
  Greater: comparisons(build.greater),
  GreaterOrEqual: comparisons(build.greaterOrEqual),
  Conv: {
    "3 x 3 with bias": build.conv(image, constantOf([4, 3, 3, 3], 1), constantOf([4], 2), {
      pads: { top: 1, left: 1, bottom: 1, right: 1 },
    }),
    "1 x 1": build.conv(image, constantOf([5, 3, 1, 1], 3)),
    strides: build.conv(image, constantOf([4, 3, 3, 2], 4), undefined, { strides: [2, 3], pads }),
    dilations: build.conv(image, constantOf([4, 3, 2, 3], 5), undefined, { dilations: [3, 2], pads }),
    groups: build.conv(image, constantOf([6, 1, 3, 3], 6), undefined, { group: 3 }),
    "a weight given at run time": build.conv(image, given([2, 3, 3, 3], "float32", "weight")),
  },
  ConvTranspose: {
    "2 x 2 stride 2": build.convTranspose(image, constantOf([3, 4, 2, 2], 7), constantOf([4], 8), { strides: [2, 2] }),
    "pads and output padding": build.convTranspose(image, constantOf([3, 2, 3, 4], 9), undefined, {
      strides: [2, 3],
      pads: { top: 1, left: 0, bottom: 0, right: 2 },
      outputPadding: [1, 2],
    }),
    groups: build.convTranspose(image, constantOf([3, 2, 3, 3], 10), undefined, { group: 3 }),
    dilations: build.convTranspose(image, constantOf([3, 2, 3, 2], 11), undefined, { dilations: [2, 3] }),
  },
  MaxPool: {
    "2 x 2": build.maxPool(image, { kernel: [2, 2] }),
    "overlapping, with pads": build.maxPool(image, {
      kernel: [3, 3],
      strides: [2, 2],
      pads: { top: 1, left: 1, bottom: 1, right: 1 },
    }),
    dilations: build.maxPool(image, {
      kernel: [2, 3],
      strides: [1, 2],
      dilations: [3, 2],
      pads: { top: 0, left: 1, bottom: 1, right: 0 },
    }),
  },
  MaxPoolGradient: {
    "2 x 2": poolGradient(given([1, 2, 8, 6]), { kernel: [2, 2] }),
    "2 x 2 with a remainder": poolGradient(image, { kernel: [2, 2] }),
    "2 x 2 with ties": poolGradient(tied, { kernel: [2, 2] }),
    "overlapping, with pads": poolGradient(image, {
      kernel: [3, 3],
      strides: [2, 2],
      pads: { top: 1, left: 1, bottom: 1, right: 1 },
    }),
    "overlapping, with pads and ties": poolGradient(tied, {
      kernel: [3, 3],
      strides: [2, 2],
      pads: { top: 1, left: 1, bottom: 1, right: 1 },
    }),
    "stride 1": poolGradient(tied, { kernel: [3, 2], strides: [1, 1] }),
    "other strides along each axis": poolGradient(tied, { kernel: [3, 3], strides: [2, 3] }),
    "stride 1 along one axis": poolGradient(tied, { kernel: [2, 3], strides: [1, 2] }),
    "a stride larger than the kernel": poolGradient(image, { kernel: [2, 2], strides: [3, 4] }),
    dilations: poolGradient(tied, { kernel: [3, 2], strides: [2, 2], dilations: [2, 3] }),
    "dilations, pads and a remainder": poolGradient(tied, {
      kernel: [2, 3],
      strides: [2, 3],
      dilations: [3, 2],
      pads: { top: 1, left: 2, bottom: 2, right: 1 },
    }),
    "far larger than the image's features": poolGradient(build.mul(image, build.scalarConstant(1e30)), {
      kernel: [3, 3],
      strides: [2, 2],
      pads,
    }),
    "3 x 3 stride 3 with pads at the end": poolGradient(tied, {
      kernel: [3, 3],
      pads: { top: 0, left: 0, bottom: 2, right: 0 },
    }),
  },
  AveragePool: {
    "2 x 2": build.averagePool(image, { kernel: [2, 2] }),
    "pads not counted": build.averagePool(image, { kernel: [3, 3], strides: [2, 1], pads }),
    "pads counted": build.averagePool(image, { kernel: [3, 3], strides: [1, 2], pads, countIncludePad: true }),
  },
  Resize: {
    "nearest 2": build.resize(image, { scales: [2, 2], coordinates: "asymmetric", rounding: "floor" }),
    "nearest, half pixel": build.resize(image, { scales: [2, 3] }),
    "nearest 1.5, rounding down": build.resize(image, { scales: [1.5, 1.5], rounding: "floor" }),
    "nearest 0.6, rounding up": build.resize(image, {
      scales: [0.6, 0.6],
      rounding: "ceil",
      coordinates: "asymmetric",
    }),
    "nearest, halves up": build.resize(image, {
      scales: [2.5, 2.5],
      rounding: "round_prefer_ceil",
      coordinates: "asymmetric",
    }),
    "linear 2": build.resize(image, half),
    "linear 2.5 and 1": build.resize(image, { mode: "linear", scales: [2.5, 1] }),
    "linear, smaller": build.resize(image, { mode: "linear", scales: [0.5, 0.7] }),
    "linear from 10 x 7 to 21 x 10": build.resize(given([1, 2, 10, 7]), { mode: "linear", scales: [21 / 10, 10 / 7] }),
    "nearest from 10 x 7 to 21 x 10": build.resize(given([1, 2, 10, 7]), {
      scales: [21 / 10, 10 / 7],
      rounding: "floor",
      coordinates: "asymmetric",
    }),
    "linear by one ratio and one other scale": build.resize(given([1, 2, 10, 7]), {
      mode: "linear",
      scales: [21 / 10, 1.55],
    }),
    "linear, corners aligned": build.resize(image, { mode: "linear", scales: [2, 3], coordinates: "align_corners" }),
    "linear, asymmetric": build.resize(image, { mode: "linear", scales: [2, 2], coordinates: "asymmetric" }),
    "linear, as PyTorch": build.resize(image, {
      mode: "linear",
      scales: [2, 1 / 7],
      coordinates: "pytorch_half_pixel",
    }),
  },
  ResizeGradient: {
    "linear 2": resizeGradient([5, 6], half),
    "linear 2 of one pixel": resizeGradient([1, 1], half),
    "linear 2 and 1": resizeGradient([5, 6], { mode: "linear", scales: [2, 1] }),
    "linear 3 and 2.5": resizeGradient([5, 6], { mode: "linear", scales: [3, 2.5] }),
    "linear, smaller": resizeGradient([6, 8], { mode: "linear", scales: [0.5, 0.75] }),
    "linear, corners aligned": resizeGradient([5, 6], { mode: "linear", scales: [2, 2], coordinates: "align_corners" }),
    "linear, asymmetric": resizeGradient([5, 6], { mode: "linear", scales: [2, 2], coordinates: "asymmetric" }),
    "nearest 2": resizeGradient([5, 6], { scales: [2, 2], coordinates: "asymmetric", rounding: "floor" }),
    "nearest 2 and 3, half pixel": resizeGradient([5, 6], { scales: [2, 3] }),
    "nearest 1 and 2": resizeGradient([5, 6], { scales: [1, 2] }),
    "linear from 10 x 7 to 21 x 10": resizeGradient([10, 7], { mode: "linear", scales: [21 / 10, 10 / 7] }),
    "nearest 1.5": resizeGradient([4, 6], { scales: [1.5, 1.5] }),
  },
  Pad: {
    zeros: build.pad(image, { before: [0, 0, 1, 2], after: [0, 0, 3, 0] }),
    "a value": build.pad(image, { before: [0, 0, 1, 2], after: [0, 1, 0, 0], value: -2.5 }),
    edge: build.pad(image, { before: [0, 0, 3, 2], after: [0, 0, 1, 10], mode: "edge" }),
    reflect: build.pad(image, { before: [0, 0, 3, 2], after: [0, 0, 1, 4], mode: "reflect" }),
    "of uint8": build.pad(given([3, 4], "uint8"), { before: [1, 0], after: [0, 2], value: 7 }),
    "of uint8 by its edge": build.pad(given([3, 4], "uint8"), { before: [1, 0], after: [0, 2], mode: "edge" }),
  },
  Slice: {
    "a part": build.slice(image, { starts: [0, 1, 2, 3], sizes: [2, 2, 4, 5] }),
    "every second": build.slice(image, { starts: [0, 0, 1, 0], sizes: [2, 3, 3, 5], steps: [1, 1, 2, 2] }),
    reversed: build.slice(image, { starts: [0, 2, 6, 8], sizes: [2, 3, 7, 9], steps: [1, -1, -1, -1] }),
    "backwards by two, not to the start": build.slice(image, {
      starts: [1, 0, 6, 7],
      sizes: [1, 3, 2, 4],
      steps: [-1, 1, -2, -2],
    }),
    "of uint8": build.slice(given([5, 4], "uint8"), { starts: [1, 0], sizes: [3, 4] }),
  },
  Concat: {
    "of channels": build.concat([image, other, image], 1),
    "of columns": build.concat([image, build.relu(other)], 3),
  },
  Reshape: { "to rows": build.reshape(image, [6, 63]), "to a scalar's list": build.reshape(given([1, 1]), []) },
  Transpose: {
    "of a uint8 image": build.transpose(given([4, 5, 3], "uint8"), [2, 0, 1]),
    "of four axes": build.transpose(image, [3, 1, 0, 2]),
  },
  Expand: {
    "of a scalar": build.expand(build.reduceSum(image, [0, 1, 2, 3]), [2, 3, 4, 5]),
    "of a row": build.expand(row, [2, 3, 7, 9]),
  },
  ReduceSum: reductions(build.reduceSum),
  ReduceMean: reductions(build.reduceMean),
  ReduceMax: reductions(build.reduceMax),
  ReduceMin: reductions(build.reduceMin),
  ReduceProd: reductions(build.reduceProd),
  ReduceLogSumExp: {
    ...reductions(build.reduceLogSumExp),
    "of large values": build.reduceLogSumExp(build.mul(image, build.scalarConstant(1000)), [2, 3]),
  },
  ArgMax: { "with ties": build.argMax(tied, 1), "of columns": build.argMax(image, 3) },
  MatMul: {
    "of matrices": build.matMul(given([4, 5]), given([5, 3], "float32", "y")),
    "of batches": build.matMul(image, given([2, 1, 9, 4], "float32", "y")),
  },
  Softmax: { "over channels": build.softmax(image, 1), "over columns": build.softmax(image, 3) },
};

const cases = Object.entries(variants).flatMap(([operator, graphs]) =>
  Object.entries(graphs).map(([variant, node]) => [`${operator}: ${variant}`, graphOf({ out: node })] as const),
);

type Values = Readonly<Record<string, Tensor>>;

/** Values in -2..2; integers in -3..3, unsigned ones over their whole range. */
const ranges: { readonly [T in ElementType]: readonly [low: number, high: number] } = {
  float32: [-2, 2],
  float64: [-2, 2],
  float16: [-2, 2],
  int64: [-3, 4],
  int32: [-3, 4],
  uint8: [0, 256],
  uint16: [0, 65_536],
  bool: [0, 2],
};

function valuesFor(graph: Graph): Values {
  return Object.fromEntries(
    graph.inputs.map((node, index) => {
      const next = seededRandom(100 + index);
      const [low, high] = ranges[node.type];
      const data = Array.from({ length: sizeOf(node.shape) }, () => low + next() * (high - low));
      const isFloat = node.type === "float32" || node.type === "float64";
      return [node.name, tensorOf(node.type, node.shape, isFloat ? data : data.map(Math.floor))];
    }),
  );
}

function evaluateAt(graph: Graph, values: Values): Readonly<Record<string, ReferenceTensor>> {
  const inputs = Object.entries(values).map(
    ([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data, Number) }] as const,
  );
  return evaluate(graph, Object.fromEntries(inputs));
}

async function runOnnx(bytes: Uint8Array, values: Values): Promise<Readonly<Record<string, ReferenceTensor>>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  try {
    const feeds = Object.entries(values).map(
      ([name, value]) => [name, new OrtTensor(value.type, value.data, value.shape)] as const,
    );
    const results = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      Object.entries(results).map(([name, { dims, data }]) => [
        name,
        { shape: dims, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** The largest difference, relative to the largest expected value. */
function relativeDifference(actual: ReferenceTensor | undefined, expected: ReferenceTensor | undefined): number {
  expect(actual?.shape).toEqual(expected?.shape);
  const values = expected?.data ?? [];
  const scale = Math.max(...values.map(Math.abs), Number.MIN_VALUE);
  return Math.max(...values.map((value, index) => Math.abs((actual?.data[index] ?? Number.NaN) - value) / scale));
}

describe("a graph encoded as ONNX", () => {
  test.each(cases)("computes in ONNX Runtime what the reference does: %s", async (_, graph) => {
    const values = valuesFor(graph);
    const { out } = await runOnnx(encodeOnnx(graph), values);
    expect(relativeDifference(out, evaluateAt(graph, values)["out"])).toBeLessThanOrEqual(1e-5);
  });

  // ONNX has no MaxPoolGradient: what it is written as goes to engines, and is not read again.
  test.each(cases.filter(([name]) => !name.startsWith("MaxPoolGradient")))(
    "is read back as a graph of the same values: %s",
    (_, graph) => {
      const values = valuesFor(graph);
      const again = readOnnxGraph(encodeOnnx(graph));
      const used = Object.fromEntries(
        again.inputs.map((node) => [node.name, values[node.name] ?? tensorOf("float32", [], [0])]),
      );
      const difference = relativeDifference(evaluateAt(again, used)["out"], evaluateAt(graph, values)["out"]);
      expect(difference).toBeLessThanOrEqual(1e-6);
    },
  );

  test("has a case in which each operator is really used", () => {
    for (const [operator, graphs] of Object.entries(variants)) {
      for (const node of Object.values(graphs)) {
        expect(topologicalOrder([node]).map(({ op }) => op)).toContain(operator);
      }
    }
  });
});

describe("names in an encoded graph", () => {
  const x = build.input("image", { type: "float32", shape: [1, 3, 8, 8], spatial: [2, 3] });
  const features = build.relu(build.conv(x, constantOf([4, 3, 3, 3], 20), undefined, { name: "features/conv" }), {
    name: "features/relu",
  });

  test("are those of the layers", () => {
    const graph = readOnnxGraph(encodeOnnx(graphOf({ scores: build.reduceMean(features, [2, 3]) })));
    const names = topologicalOrder(Object.values(graph.outputs)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["image", "features/conv", "features/relu", "scores"]));
  });

  test("are unique when layers share one, or have an output's or a made-up one", async () => {
    const twice = build.add(build.relu(x, { name: "same" }), build.sigmoid(x, { name: "same" }), { name: "_1" });
    const graph = graphOf({ same: build.tanh(twice), b: twice, c: twice, d: x });
    const values = valuesFor(graph);
    const results = await runOnnx(encodeOnnx(graph), values);
    const expected = evaluateAt(graph, values);
    for (const name of ["same", "b", "c", "d"])
      expect(relativeDifference(results[name], expected[name])).toBeLessThan(1e-5);
  });

  test("may be any text", async () => {
    const graph = graphOf({ "Ausgabe ü": build.relu(build.relu(x, { name: "层 1" })) });
    const results = await runOnnx(encodeOnnx(graph), valuesFor(graph));
    expect(Object.keys(results)).toEqual(["Ausgabe ü"]);
  });
});

describe("a graph encoded with open image axes", () => {
  const network = (width: number, height: number): Graph => {
    const x = build.input("image", { type: "float32", shape: [1, 3, height, width], spatial: [2, 3] });
    const features = build.conv(x, constantOf([4, 3, 3, 3], 21), constantOf([4], 22), {
      pads: { top: 1, left: 1, bottom: 1, right: 1 },
    });
    const up = build.resize(build.maxPool(build.relu(features), { kernel: [2, 2] }), half);
    return graphOf({ map: build.concat([up, features], 1), scores: build.reduceMean(up, [2, 3]) });
  };

  test("runs in ONNX Runtime at another size without complaint", async () => {
    const bytes = encodeOnnx(network(8, 8), { dynamicAxes: true });
    const larger = network(12, 10);
    const values = valuesFor(larger);
    const results = await runOnnx(bytes, values);
    const expected = evaluateAt(larger, values);
    for (const name of ["map", "scores"]) expect(relativeDifference(results[name], expected[name])).toBeLessThan(1e-5);
  });

  const parts = (width: number, height: number): Graph => {
    const x = build.input("image", { type: "float32", shape: [1, 3, height, width], spatial: [2, 3] });
    const cut = (starts: readonly number[], sizes: readonly number[], steps?: readonly number[]): Node =>
      build.slice(x, { starts: [0, ...starts], sizes: [1, ...sizes], ...(steps && { steps: [1, ...steps] }) });
    const flat = build.reshape(cut([0, 0, 0], [1, height, width]), [height, width]);
    return graphOf({
      inner: cut([0, 1, 2], [3, height - 3, width - 2]),
      lastRows: cut([1, height - 2, 0], [2, 2, width]),
      firstColumns: cut([0, 0, 0], [1, height, 3]),
      stepping: cut([0, 1, 0], [3, Math.ceil((height - 1) / 2), Math.ceil(width / 3)], [1, 2, 3]),
      steppingUpToTheLast: cut([0, 0, 0], [3, height / 2, (width - 2) / 2], [1, 2, 2]),
      flat,
      planes: build.reshape(build.relu(flat), [1, 1, height, width]),
      lines: build.reshape(x, [3, height * width]),
    });
  };

  test.each([
    ["a network", network],
    ["what is cut and reshaped", parts],
  ])("of %s is one file for two sizes, with the values of both", async (_, graphAt) => {
    const [small, large] = [graphAt(10, 8), graphAt(26, 18)];
    const bytes = encodeOnnx(small, { dynamicAxes: true });
    expect(Buffer.compare(bytes, encodeOnnx(large, { dynamicAxes: true }))).toBe(0);
    for (const graph of [small, large]) {
      const values = valuesFor(graph);
      const results = await runOnnx(bytes, values);
      const expected = evaluateAt(graph, values);
      for (const name of Object.keys(graph.outputs)) {
        expect(results[name]?.shape, name).toEqual(expected[name]?.shape);
        expect(relativeDifference(results[name], expected[name]), name).toBeLessThan(1e-5);
      }
    }
  });

  test("of what is told by its size is another file for another size", () => {
    const expanded = (width: number): Graph => {
      const x = build.input("image", { type: "float32", shape: [1, 1, 4, width], spatial: [2, 3] });
      return graphOf({
        y: build.add(x, build.expand(build.input("k", { type: "float32", shape: [1, 1, 1, 1] }), [1, 1, 4, width])),
      });
    };
    const [a, b] = [5, 6].map((width) => encodeOnnx(expanded(width), { dynamicAxes: true }));
    expect(Buffer.compare(a ?? new Uint8Array(), b ?? new Uint8Array())).not.toBe(0);
  });

  test("declares no extent for them, in inputs and outputs", () => {
    const file = openOnnx(encodeOnnx(network(8, 8), { dynamicAxes: true }));
    expect(file.inputs.map(({ shape }) => shape)).toEqual([[1, 3, "height", "width"]]);
    expect(file.outputs.map(({ shape }) => shape?.slice(2).includes(8) ?? false)).toEqual([false, false]);
  });
});

describe("a graph encoded with runs as parts of a Split", () => {
  const x = given([6, 2, 3], "float32", "x");
  const runs = {
    first: build.slice(x, { starts: [0, 0, 0], sizes: [2, 2, 3] }),
    middle: build.slice(x, { starts: [1, 0, 0], sizes: [4, 2, 3] }),
    last: build.slice(x, { starts: [5, 0, 0], sizes: [1, 2, 3] }),
  };
  const others = {
    inner: build.slice(x, { starts: [0, 1, 0], sizes: [6, 1, 3] }),
    stepping: build.slice(x, { starts: [0, 0, 0], sizes: [3, 2, 3], steps: [2, 1, 1] }),
    backwards: build.slice(x, { starts: [5, 0, 0], sizes: [6, 2, 3], steps: [-1, 1, 1] }),
  };

  test("has the same values, overlapping runs and other slices included", async () => {
    const graph = graphOf({ ...runs, ...others });
    const values = valuesFor(graph);
    const results = await runOnnx(encodeOnnx(graph, { splits: true }), values);
    const expected = evaluateAt(graph, values);
    for (const name of Object.keys(graph.outputs))
      expect(relativeDifference(results[name], expected[name]), name).toBe(0);
  });

  test("slices only what is no run", () => {
    const operators = (graph: Graph): readonly string[] =>
      openOnnx(encodeOnnx(graph, { splits: true })).steps.map(({ node }) => node.operator);
    expect(operators(graphOf(runs))).toEqual(["Split", "Split", "Split"]);
    expect(operators(graphOf(others))).toEqual(["Slice", "Slice", "Slice"]);
  });
});

test.each(cases.filter(([name]) => name.startsWith("MaxPoolGradient")))(
  "%s is the same with maxima of windows' values",
  async (_, graph) => {
    const values = valuesFor(graph);
    const { out } = await runOnnx(encodeOnnx(graph, { windowMaxima: true }), values);
    expect(relativeDifference(out, evaluateAt(graph, values)["out"])).toBeLessThanOrEqual(1e-5);
  },
);

describe("a graph encoded with channels last", () => {
  const weight = constantOf([4, 3, 3, 3], 3);
  const pooled = build.maxPool(build.relu(build.conv(image, weight)), { kernel: [2, 2], strides: [2, 2] });
  const operators = (node: Node): readonly string[] => {
    const { graph } = readModelProto(encodeOnnx(graphOf({ y: node }), { channelsLast: true }));
    return (graph?.nodes ?? []).map(({ domain, operator }) => (domain === "" ? operator : `${domain}.${operator}`));
  };

  test("turns images before and after what works on them; ONNX Runtime takes out what meets", () => {
    const turned = (operator: string): readonly string[] => [
      "Transpose",
      `com.ms.internal.nhwc.${operator}`,
      "Transpose",
    ];
    expect(operators(pooled)).toEqual([...turned("Conv"), "Relu", ...turned("MaxPool")]);
    expect(operators(build.convTranspose(image, constantOf([3, 2, 2, 2], 4)))).toEqual(turned("ConvTranspose"));
  });

  test("leaves float64 as it is: there are no such operators for it", () => {
    const wide = build.conv(build.cast(image, "float64"), build.cast(weight, "float64"));
    expect(operators(wide)).toContain("Conv");
  });
});

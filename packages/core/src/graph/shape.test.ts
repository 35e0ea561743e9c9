import { describe, expect, test } from "vitest";
import { SlidelightError } from "../errors/slidelight-error.ts";
import * as build from "./build.ts";
import { createNode } from "./node.ts";
import type { Node } from "./node.ts";
import { shapeRules } from "./shape.ts";
import type { ElementType, Shape } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

function given(shape: Shape, type: ElementType = "float32"): Node {
  return build.input("given", { type, shape });
}

interface Fit {
  readonly node: Node;
  readonly shape: Shape;
  /** Default: float32. */
  readonly type?: ElementType;
}

interface Misfit {
  readonly make: () => Node;
  readonly message: string;
}

const image = given([2, 4, 7, 9]);
const weight = given([6, 4, 3, 3]);
const matrix = given([2, 3]);
const bytes = given([2, 3], "uint8");
const bools = given([2, 3], "bool");
const uneven = { top: 0, left: 1, bottom: 2, right: 3 };

const fits: { readonly [O in OperatorName]: readonly [Fit, ...Fit[]] } = {
  Input: [
    { node: given([2, 0], "uint16"), shape: [2, 0], type: "uint16" },
    { node: build.input("x", { type: "float32", shape: [1, 3, 5, 6], spatial: [2, 3] }), shape: [1, 3, 5, 6] },
  ],
  Constant: [{ node: build.scalarConstant(1, { type: "int64" }), shape: [], type: "int64" }],
  Coordinate: [{ node: build.coordinate({ axis: 2, rank: 4, size: 5 }), shape: [1, 1, 5, 1] }],
  Relu: [
    { node: build.relu(matrix), shape: [2, 3] },
    { node: build.relu(given([2], "int32")), shape: [2], type: "int32" },
  ],
  LeakyRelu: [{ node: build.leakyRelu(matrix, 0.1), shape: [2, 3] }],
  Sigmoid: [{ node: build.sigmoid(given([2], "float64")), shape: [2], type: "float64" }],
  Tanh: [{ node: build.tanh(matrix), shape: [2, 3] }],
  Exp: [{ node: build.exp(matrix), shape: [2, 3] }],
  Log: [{ node: build.log(matrix), shape: [2, 3] }],
  Sqrt: [{ node: build.sqrt(matrix), shape: [2, 3] }],
  Abs: [{ node: build.abs(matrix), shape: [2, 3] }],
  Sign: [{ node: build.sign(matrix), shape: [2, 3] }],
  Floor: [{ node: build.floor(matrix), shape: [2, 3] }],
  Round: [{ node: build.round(matrix), shape: [2, 3] }],
  Clip: [{ node: build.clip(bytes, { max: 9 }), shape: [2, 3], type: "uint8" }],
  Cast: [{ node: build.cast(bytes, "float32"), shape: [2, 3] }],
  Add: [
    { node: build.add(given([4, 1, 3]), given([2, 1])), shape: [4, 2, 3] },
    { node: build.add(given([1]), given([0])), shape: [0] },
  ],
  Sub: [{ node: build.sub(bytes, given([], "uint8")), shape: [2, 3], type: "uint8" }],
  Mul: [{ node: build.mul(matrix, given([3])), shape: [2, 3] }],
  Div: [{ node: build.div(matrix, matrix), shape: [2, 3] }],
  Pow: [{ node: build.pow(matrix, given([], "int64")), shape: [2, 3] }],
  Maximum: [{ node: build.maximum(matrix, matrix), shape: [2, 3] }],
  Minimum: [{ node: build.minimum(matrix, matrix), shape: [2, 3] }],
  Equal: [{ node: build.equal(bools, bools), shape: [2, 3], type: "float32" }],
  Greater: [{ node: build.greater(bytes, bytes), shape: [2, 3], type: "float32" }],
  GreaterOrEqual: [{ node: build.greaterOrEqual(matrix, matrix), shape: [2, 3] }],
  Conv: [
    { node: build.conv(image, weight), shape: [2, 6, 5, 7] },
    {
      node: build.conv(image, given([6, 2, 3, 3]), given([6]), { strides: [2, 3], group: 2, pads: uneven }),
      shape: [2, 6, 4, 4],
    },
    { node: build.conv(image, weight, undefined, { dilations: [3, 1] }), shape: [2, 6, 1, 7] },
  ],
  ConvTranspose: [
    { node: build.convTranspose(image, given([4, 3, 2, 2]), given([3]), { strides: [2, 2] }), shape: [2, 3, 14, 18] },
    {
      node: build.convTranspose(image, given([4, 3, 3, 2]), undefined, {
        strides: [2, 1],
        dilations: [1, 3],
        pads: uneven,
        outputPadding: [1, 0],
        group: 4,
      }),
      shape: [2, 12, 14, 8],
    },
  ],
  MaxPool: [
    { node: build.maxPool(image, { kernel: [2, 2] }), shape: [2, 4, 3, 4] },
    {
      node: build.maxPool(image, { kernel: [3, 3], strides: [1, 2], dilations: [2, 1], pads: uneven }),
      shape: [2, 4, 5, 6],
    },
  ],
  MaxPoolGradient: [
    { node: build.maxPoolGradient(image, given([2, 4, 3, 4]), { kernel: [2, 2] }), shape: [2, 4, 7, 9] },
  ],
  AveragePool: [{ node: build.averagePool(image, { kernel: [7, 9] }), shape: [2, 4, 1, 1] }],
  Resize: [
    { node: build.resize(image, { scales: [2, 0.5] }), shape: [2, 4, 14, 4] },
    { node: build.resize(given([1, 1, 3, 6]), { scales: [5 / 3, 7 / 6] }), shape: [1, 1, 5, 7] },
  ],
  ResizeGradient: [
    { node: build.resizeGradient(given([2, 4, 14, 4]), [7, 9], { scales: [2, 0.5] }), shape: [2, 4, 7, 9] },
  ],
  Pad: [{ node: build.pad(matrix, { before: [1, 2], after: [0, 2], mode: "reflect" }), shape: [3, 7] }],
  Slice: [
    { node: build.slice(matrix, { starts: [1, 2], sizes: [1, 2], steps: [1, -2] }), shape: [1, 2] },
    { node: build.sliceAxis(matrix, { axis: 1, start: 1, size: 2 }), shape: [2, 2] },
  ],
  Concat: [{ node: build.concat([matrix, given([2, 5])], 1), shape: [2, 8] }],
  Reshape: [{ node: build.reshape(matrix, [3, 1, 2]), shape: [3, 1, 2] }],
  Transpose: [{ node: build.transpose(image, [0, 2, 3, 1]), shape: [2, 7, 9, 4] }],
  Expand: [{ node: build.expand(matrix, [5, 2, 3]), shape: [5, 2, 3] }],
  ReduceSum: [{ node: build.reduceSum(image, [3, 2]), shape: [2, 4, 1, 1] }],
  ReduceMean: [{ node: build.reduceMean(image, [0]), shape: [1, 4, 7, 9] }],
  ReduceMax: [{ node: build.reduceMax(bytes, [1]), shape: [2, 1], type: "uint8" }],
  ReduceMin: [{ node: build.reduceMin(matrix, [1]), shape: [2, 1] }],
  ReduceProd: [{ node: build.reduceProd(matrix, [0, 1]), shape: [1, 1] }],
  ReduceLogSumExp: [{ node: build.reduceLogSumExp(matrix, [1]), shape: [2, 1] }],
  ArgMax: [{ node: build.argMax(matrix, 1), shape: [2, 1], type: "int64" }],
  MatMul: [
    { node: build.matMul(matrix, given([3, 5])), shape: [2, 5] },
    { node: build.matMul(given([4, 1, 2, 3]), given([7, 3, 5])), shape: [4, 7, 2, 5] },
  ],
  Softmax: [{ node: build.softmax(matrix, 0), shape: [2, 3] }],
};

test.each(Object.entries(fits))("%s gives the shape and type that follow", (op, some) => {
  for (const { node, shape, type = "float32" } of some) {
    expect(node.op).toBe(op);
    expect(node.shape).toEqual(shape);
    expect(node.type).toBe(type);
  }
});

test("every operator has a rule and a case", () => {
  expect(Object.keys(fits).sort()).toEqual(Object.keys(shapeRules).sort());
});

const misfits: { readonly [O in OperatorName]?: readonly Misfit[] } = {
  Input: [
    { make: () => given([-1]), message: "expected extents that are integers from 0, got [-1]" },
    {
      make: () => build.input("x", { type: "float32", shape: [4], spatial: [0, 1] }),
      message: "expected an axis from 0 to 0, got 1",
    },
  ],
  Constant: [
    {
      make: () => build.constant({ type: "float32", shape: [2, 2], data: new Float32Array(3) }),
      message: "expected 4 values for [2, 2], got 3",
    },
  ],
  Coordinate: [
    { make: () => build.coordinate({ axis: 4, rank: 4, size: 1 }), message: "expected an axis from 0 to 3, got 4" },
  ],
  Relu: [{ make: () => build.relu(bools), message: "expected an operand of numbers, got bool" }],
  Exp: [{ make: () => build.exp(bytes), message: "expected a float32 or float64 operand, got uint8" }],
  Clip: [{ make: () => build.clip(matrix, { min: 2, max: 1 }), message: "expected min <= max, got min 2, max 1" }],
  Add: [
    { make: () => build.add(matrix, given([2])), message: "expected shapes that broadcast, got [2, 3] and [2]" },
    { make: () => build.add(matrix, bytes), message: "expected operands of one type, got float32 and uint8" },
    { make: () => build.add(bools, bools), message: "expected an operand of numbers, got bool" },
  ],
  Greater: [
    { make: () => build.greater(matrix, bytes), message: "expected operands of one type, got float32 and uint8" },
  ],
  Conv: [
    { make: () => build.conv(matrix, weight), message: "expected an operand [N, C, H, W], got [2, 3]" },
    { make: () => build.conv(image, matrix), message: "expected a weight [O, C/group, kh, kw], got [2, 3]" },
    {
      make: () => build.conv(given([1, 3, 7, 9]), weight),
      message: "expected an input of 4 channels (weight [6, 4, 3, 3], group 1), got 3 ([1, 3, 7, 9])",
    },
    {
      make: () => build.conv(image, weight, undefined, { group: 4 }),
      message: "expected a group count that divides the 6 output channels, got 4",
    },
    { make: () => build.conv(image, weight, given([4])), message: "expected a bias [6], got [4]" },
    {
      make: () => build.conv(given([1, 4, 2, 9]), weight),
      message: "expected at least 3 x 3 padded positions for the window, got 2 x 9",
    },
    {
      make: () => build.conv(image, weight, undefined, { strides: [0, 1] }),
      message: "expected strides that are integers from 1, got [0, 1]",
    },
    {
      make: () => build.conv(image, weight, undefined, { pads: { ...build.noPads, left: -1 } }),
      message: "expected pads that are integers from 0, got [0, -1, 0, 0]",
    },
    {
      make: () => build.conv(given([2, 4, 7, 9], "uint8"), weight),
      message: "expected a float32 or float64 operand, got uint8",
    },
  ],
  ConvTranspose: [
    {
      make: () => build.convTranspose(image, given([3, 2, 2, 2])),
      message: "expected an input of 3 channels (weight [3, 2, 2, 2]), got 4 ([2, 4, 7, 9])",
    },
    {
      make: () => build.convTranspose(given([1, 4, 1, 9]), given([4, 1, 1, 1]), undefined, { pads: uneven }),
      message: "expected pads smaller than the output, got an output of -1 x 5",
    },
  ],
  MaxPool: [
    {
      make: () => build.maxPool(image, { kernel: [8, 2] }),
      message: "expected at least 8 x 2 padded positions for the window, got 7 x 9",
    },
  ],
  MaxPoolGradient: [
    {
      make: () => build.maxPoolGradient(image, image, { kernel: [2, 2] }),
      message: "expected a gradient of the pooled shape [2, 4, 3, 4], got [2, 4, 7, 9]",
    },
  ],
  Resize: [
    { make: () => build.resize(image, { scales: [0, 1] }), message: "expected scales above 0, got [0, 1]" },
    {
      make: () => build.resize(image, { scales: [0.1, 1] }),
      message: "expected an output of at least 1 x 1, got 0 x 9",
    },
  ],
  ResizeGradient: [
    {
      make: () => build.resizeGradient(image, [4, 4], { scales: [2, 2] }),
      message: "expected a gradient of 8 x 8 (from 4 x 4), got 7 x 9",
    },
  ],
  Pad: [
    { make: () => build.pad(matrix, { before: [1] }), message: "expected 2 amounts before (one for each axis), got 1" },
    {
      make: () => build.pad(matrix, { before: [0, -1] }),
      message: "expected amounts that are integers from 0, got [0, -1, 0, 0]",
    },
    {
      make: () => build.pad(matrix, { before: [2, 0], mode: "reflect" }),
      message: "expected at most 1 values of reflect padding on axis 0, got 2",
    },
  ],
  Slice: [
    {
      make: () => build.sliceAxis(matrix, { axis: 1, start: 2, size: 2 }),
      message: "expected positions from 0 to 2 on axis 1, got 2 to 3",
    },
    {
      make: () => build.sliceAxis(matrix, { axis: 0, start: 0, size: 1, step: 0 }),
      message: "expected an integer start and step on axis 0, got start 0, step 0",
    },
  ],
  Concat: [
    { make: () => build.concat([], 0), message: "expected at least one operand, got none" },
    {
      make: () => build.concat([matrix, given([3, 3])], 1),
      message: "expected operands that differ from [2, 3] only on axis 1, got [3, 3]",
    },
  ],
  Reshape: [{ make: () => build.reshape(matrix, [4]), message: "expected 4 values for [4], got 6 ([2, 3])" }],
  Transpose: [
    { make: () => build.transpose(matrix, [1, 1]), message: "expected each axis from 0 to 1 once, got [1, 1]" },
  ],
  Expand: [
    { make: () => build.expand(matrix, [2, 1]), message: "expected an operand that broadcasts to [2, 1], got [2, 3]" },
  ],
  ReduceSum: [
    {
      make: () => createNode({ op: "ReduceSum", inputs: [matrix], attributes: { axes: [1, 0] } }),
      message: "expected axes in ascending order, each once, got [1, 0]",
    },
    { make: () => build.reduceSum(matrix, [-1]), message: "expected an axis from 0 to 1, got -1" },
  ],
  ReduceMax: [
    { make: () => build.reduceMax(given([0]), [0]), message: "expected at least one value to choose from, got [0]" },
  ],
  ArgMax: [{ make: () => build.argMax(matrix, 2), message: "expected an axis from 0 to 1, got 2" }],
  MatMul: [
    { make: () => build.matMul(matrix, matrix), message: "expected [.., m, k] and [.., k, n], got [2, 3] and [2, 3]" },
    { make: () => build.matMul(matrix, given([3])), message: "expected matrices (rank >= 2), got [2, 3] and [3]" },
    {
      make: () => build.matMul(given([2, 2, 3]), given([4, 3, 1])),
      message: "expected batch axes that broadcast, got [2, 2, 3] and [4, 3, 1]",
    },
  ],
  Softmax: [{ make: () => build.softmax(matrix, 2), message: "expected an axis from 0 to 1, got 2" }],
};

describe.each(Object.entries(misfits))("%s refuses", (op, some) => {
  test.each(some.map(({ make, message }) => [message, make] as const))("%s", (message, make) => {
    expect(make).toThrow(SlidelightError);
    expect(make).toThrow(`Inferring the shape of ${op}`);
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: "model-shape" }));
  });
});

test("a refusal names the node, what was expected, what was got and what to look at", () => {
  expect(() => build.conv(given([1, 3, 8, 8]), weight, undefined, { name: "encoder.0" })).toThrow(
    'Inferring the shape of Conv "encoder.0": expected an input of 4 channels (weight [6, 4, 3, 3], group 1), ' +
      "got 3 ([1, 3, 8, 8]). Check the model's export and the size of the image.",
  );
});

describe("constructors", () => {
  test("return the operand where they would do nothing", () => {
    expect(build.cast(matrix, "float32")).toBe(matrix);
    expect(build.reshape(matrix, [2, 3])).toBe(matrix);
    expect(build.expand(matrix, [2, 3])).toBe(matrix);
    expect(build.transpose(matrix, [0, 1])).toBe(matrix);
    expect(build.pad(matrix, { before: [0, 0] })).toBe(matrix);
    expect(build.sliceAxis(matrix, { axis: 1, start: 0, size: 3 })).toBe(matrix);
    expect(build.concat([matrix], 0)).toBe(matrix);
    expect(build.resize(image, { scales: [1, 1] })).toBe(image);
    expect(build.reduceSum(matrix, [])).toBe(matrix);
  });

  test("keep a node that has a name", () => {
    expect(build.reshape(matrix, [2, 3], { name: "features" })).toMatchObject({ op: "Reshape", name: "features" });
  });

  test("make scalars of the type that they stand beside", () => {
    expect(build.mul(given([2], "float64"), build.scalarLike(given([2], "float64"), 2)).type).toBe("float64");
    expect(build.negate(matrix).shape).toEqual([2, 3]);
  });
});

import { describe, expect, it } from "vitest";
import * as build from "./build.ts";
import { backpropagate, expandTo } from "./gradient.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Node } from "./node.ts";
import { evaluate } from "./reference.ts";
import { sizeOf, tensorOf } from "./tensor.ts";
import type { Shape } from "./tensor.ts";

function values(shape: Shape, data: readonly number[]): Node {
  return build.constant(tensorOf("float64", shape, data));
}

function variable(shape: Shape, name = "x"): Node {
  return build.input(name, { type: "float32", shape });
}

function elementsOf(node: Node): readonly number[] {
  return [...(evaluate(graphOf({ value: node }), {})["value"]?.data ?? [])];
}

/** dy/dx for a cotangent of ones, or another; it must be there. */
function gradientOf(y: Node, x: Node, cotangent: Node = build.scalarLike(y, 1)): Node {
  const [gradient] = backpropagate(new Map([[y, cotangent]]), [x]);
  if (gradient === undefined) throw new Error(`no gradient of ${y.op} to ${x.op}`);
  return gradient;
}

function gradientElements(y: Node, x: Node, cotangent?: Node): readonly number[] {
  return elementsOf(expandTo(gradientOf(y, x, cotangent), x.shape));
}

function operatorsOf(node: Node): readonly string[] {
  return topologicalOrder([node]).map(({ op }) => op);
}

const same = { top: 1, left: 1, bottom: 1, right: 1 };

describe("ties", () => {
  const tied = values([1, 2, 2, 3], [1, 5, 0, 5, 5, 1, /* second channel */ 7, 2, 7, 0, 7, 7]);

  it("give the gradient of a maximum over several axes to the first, row-major", () => {
    expect(gradientElements(build.reduceMax(tied, [2, 3]), tied)).toEqual([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    expect(gradientElements(build.reduceMax(tied, [1, 2, 3]), tied)).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    expect(gradientElements(build.reduceMax(tied, [1, 3]), tied)).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
    expect(gradientElements(build.reduceMax(tied, [3]), tied)).toEqual([0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0]);
  });

  it("give the gradient of a minimum to the first, row-major", () => {
    const opposite = build.negate(tied);
    expect(gradientElements(build.reduceMin(opposite, [2, 3]), opposite)).toEqual([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  });

  it("give the gradient of a pooling window to the first, row-major", () => {
    const pooled = build.maxPool(tied, { kernel: [2, 2], strides: [1, 1] });
    const cotangent = values(pooled.shape, [1, 2, 4, 8]);
    expect(gradientElements(pooled, tied, cotangent)).toEqual([0, 3, 0, 0, 0, 0, 4, 0, 8, 0, 0, 0]);
  });

  it("leave the gradient of MaxPoolGradient the transpose of it", () => {
    const options = { kernel: [2, 3], strides: [1, 2], dilations: [1, 1], pads: same } as const;
    const zeros = values([1, 1, 4, 5], [0, 0, 0, 0, 0, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0]);
    const pooled = build.maxPool(zeros, options);
    const gradient = values(
      pooled.shape,
      Array.from({ length: sizeOf(pooled.shape) }, (_, index) => index + 1),
    );
    const cotangent = values(
      [1, 1, 4, 5],
      Array.from({ length: 20 }, (_, index) => (index * 7) % 11),
    );
    const node = build.maxPoolGradient(zeros, gradient, options);
    const dot = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((sum, x, i) => sum + x * (b[i] ?? NaN), 0);
    const there = dot(elementsOf(node), elementsOf(cotangent));
    expect(dot(elementsOf(gradient), gradientElements(node, gradient, cotangent))).toBe(there);
  });

  it("give the gradient of an elementwise maximum or minimum to the first operand", () => {
    const [a, b] = [values([3], [1, 2, 3]), values([3], [1, 3, 2])];
    const both = (y: Node): readonly (readonly number[])[] => [gradientElements(y, a), gradientElements(y, b)];
    expect(both(build.maximum(a, b))).toEqual([
      [1, 0, 1],
      [0, 1, 0],
    ]);
    expect(both(build.minimum(a, b))).toEqual([
      [1, 1, 0],
      [0, 0, 1],
    ]);
  });
});

describe("at kinks and poles", () => {
  const x = values([3], [-1, 0, 1]);

  it("Relu and Clip are flat at their limits, LeakyRelu has its slope, Abs none", () => {
    expect(gradientElements(build.relu(x), x)).toEqual([0, 0, 1]);
    expect(gradientElements(build.clip(x, { min: 0 }), x)).toEqual([0, 0, 1]);
    expect(gradientElements(build.clip(x, { min: -1, max: 1 }), x)).toEqual([0, 1, 0]);
    expect(gradientElements(build.leakyRelu(x, 0.25), x)).toEqual([0.25, 0.25, 1]);
    expect(gradientElements(build.abs(x), x)).toEqual([-1, 0, 1]);
  });

  it("a power of zero has finite gradients", () => {
    const [base, exponent] = [values([4], [0, 0, 2, 3]), values([4], [0, 2, 0, 2])];
    expect(gradientElements(build.pow(base, exponent), base)).toEqual([0, 0, 0, 6]);
    const [, , two = 0, three = 0] = gradientElements(build.pow(base, exponent), exponent);
    expect([two, three]).toEqual([Math.log(2), 9 * Math.log(3)]);
    expect(gradientElements(build.pow(base, exponent), exponent).slice(0, 2)).toEqual([0, 0]);
  });

  it("a product with zeros has the product of the others", () => {
    const factors = values([3, 3], [2, 3, 4, 2, 0, 4, 0, 0, 4]);
    expect(gradientElements(build.reduceProd(factors, [1]), factors)).toEqual([12, 8, 6, 0, 8, 0, 0, 0, 0]);
  });
});

describe("a gradient that is the same at every pixel", () => {
  const [x, constantly] = [variable([1, 4, 12, 20]), variable([1, 4, 1, 1], "cotangent")];
  const weight = variable([4, 4, 1, 1], "weight");
  const layers: Readonly<Record<string, (x: Node) => Node>> = {
    Add: (value) => build.add(value, build.add(value, variable([1, 4, 1, 1], "bias"))),
    Mul: (value) => build.mul(value, variable([1, 4, 1, 1], "scale")),
    Conv: (value) => build.conv(value, weight),
    AveragePool: (value) => build.averagePool(value, { kernel: [2, 2] }),
    "AveragePool over everything": (value) =>
      build.expand(build.averagePool(value, { kernel: [12, 20] }), [1, 4, 12, 20]),
    Resize: (value) => build.resize(value, { scales: [2, 3] }),
    Transpose: (value) => build.transpose(build.transpose(value, [0, 2, 3, 1]), [0, 3, 1, 2]),
    Reshape: (value) => build.reshape(build.reshape(value, [1, 4, 240]), [1, 4, 12, 20]),
    Slice: (value) => build.sliceAxis(value, { axis: 1, start: 0, size: 4, step: 1 }),
    "Slice of channels": (value) => build.sliceAxis(build.concat([value, value], 1), { axis: 1, start: 2, size: 4 }),
    Pad: (value) => build.pad(value, { before: [0, 0, 2, 2] }),
  };

  it.each(Object.entries(layers))("stays a vector through %s", (_, layer) => {
    expect(gradientOf(layer(x), x, constantly).shape).toEqual([1, 4, 1, 1]);
  });

  it("stays a vector below a mean, whatever reshapes it to class scores", () => {
    const pooled = build.reshape(build.reduceMean(x, [2, 3]), [1, 4]);
    const scores = build.matMul(pooled, variable([4, 3], "head"));
    expect(gradientOf(scores, x, variable([1, 3], "cotangent")).shape).toEqual([1, 4, 1, 1]);
    const pixels = build.reduceSum(build.reshape(x, [1, 4, 240]), [2]);
    expect(gradientOf(pixels, x, variable([1, 4, 1], "cotangent")).shape).toEqual([1, 4, 1, 1]);
  });

  it("is expanded where positions differ", () => {
    expect(gradientOf(build.relu(x), x, constantly).shape).toEqual(x.shape);
    expect(
      gradientOf(build.conv(x, variable([4, 4, 3, 3], "w"), undefined, { pads: same }), x, constantly).shape,
    ).toEqual(x.shape);
    expect(gradientOf(build.concat([build.relu(x), x], 1), x, build.scalarLike(x, 1)).shape).toEqual(x.shape);
  });
});

describe("forms that engines run fast", () => {
  const x = variable([1, 4, 12, 20]);
  const weight = variable([6, 4, 3, 3], "weight");

  it("a convolution at stride 1 is a convolution backwards, without the forward pass", () => {
    const operators = operatorsOf(gradientOf(build.conv(x, weight, undefined, { pads: same }), x));
    expect(operators.filter((op) => op.startsWith("Conv"))).toEqual(["Conv"]);
  });

  it("a strided convolution is a transposed one with the same weights, and the other way round", () => {
    const strided = gradientOf(build.conv(x, weight, undefined, { strides: [2, 2], pads: same }), x);
    expect(strided).toMatchObject({ op: "ConvTranspose", attributes: { outputPadding: [1, 1] } });
    expect(strided.inputs[1]).toBe(weight);
    const up = variable([4, 6, 2, 2], "up");
    const transposed = gradientOf(build.convTranspose(x, up, undefined, { strides: [2, 2] }), x);
    expect(transposed).toMatchObject({ op: "Conv", attributes: { strides: [2, 2], pads: build.noPads } });
    expect(transposed.inputs[1]).toBe(up);
  });

  it("repetition is an average, and the average of tiles a repetition", () => {
    const up = build.resize(x, { scales: [2, 2] });
    expect(operatorsOf(gradientOf(up, x, variable(up.shape, "g")))).toContain("AveragePool");
    const down = build.averagePool(x, { kernel: [2, 2] });
    expect(operatorsOf(gradientOf(down, x, variable(down.shape, "g")))).toContain("Resize");
  });

  it("a linear layer's gradient doesn't need its value", () => {
    const layers = [
      build.averagePool(x, { kernel: [3, 3], strides: [2, 2], pads: same }),
      build.resize(x, { scales: [2, 2], mode: "linear" }),
      build.pad(x, { before: [0, 0, 2, 2], mode: "reflect" }),
      build.convTranspose(x, variable([4, 2, 2, 2], "w"), undefined, { strides: [2, 2] }),
    ];
    for (const y of layers) expect(topologicalOrder([gradientOf(y, x)])).not.toContain(x);
  });
});

describe("backpropagate", () => {
  it("answers undefined where nothing depends on the node, or in steps only", () => {
    const [x, other] = [variable([2, 3]), variable([2, 3], "other")];
    const y = build.add(build.floor(x), build.exp(other));
    const [toX, toOther, toStranger] = backpropagate(new Map([[y, variable([2, 3], "g")]]), [
      x,
      other,
      variable([1], "z"),
    ]);
    expect([toX, toOther?.op, toStranger]).toEqual([undefined, "Mul", undefined]);
  });

  it("answers for outputs, for values on the way and for constants", () => {
    const x = variable([2, 3]);
    const [scale, cotangent] = [build.vectorConstant([1, 2, 3]), variable([2, 3], "g")];
    const middle = build.mul(x, scale);
    const y = build.exp(middle);
    const gradients = backpropagate(new Map([[y, cotangent]]), [y, middle, scale]);
    expect(gradients[0]).toBe(cotangent);
    expect(gradients[1]).toMatchObject({ op: "Mul", inputs: [cotangent, y] });
    expect(gradients[2]?.shape).toEqual([3]);
  });

  it("builds nothing for operands that aren't asked for", () => {
    const [x, weight, bias] = [variable([2, 3, 5, 5]), variable([4, 3, 3, 3], "w"), variable([4], "b")];
    const frozen = build.exp(weight);
    const y = build.conv(x, frozen, bias);
    const gradients = backpropagate(new Map([[y, variable(y.shape, "g")]]), [frozen, bias]);
    const operators = gradients.flatMap((gradient) => (gradient === undefined ? [] : operatorsOf(gradient)));
    expect(operators).not.toContain("Exp");
  });

  it("does not follow integers", () => {
    const x = variable([2, 3]);
    const truncated = build.cast(build.cast(x, "int32"), "float32");
    expect(backpropagate(new Map([[build.mul(truncated, truncated), build.scalarConstant(1)]]), [x])).toEqual([
      undefined,
    ]);
  });

  it("refuses a cotangent of another shape, rank or type than its output's", () => {
    const x = variable([2, 3]);
    const attempt = (cotangent: Node) => () => backpropagate(new Map([[build.exp(x), cotangent]]), [x]);
    expect(attempt(variable([3, 3], "g"))).toThrow(
      'Differentiating Exp "": expected a cotangent that broadcasts to float32 [2, 3], got float32 [3, 3].',
    );
    expect(attempt(variable([1, 2, 3], "g"))).toThrow(RangeError);
    expect(attempt(build.input("g", { type: "float64", shape: [2, 3] }))).toThrow(RangeError);
  });

  it("goes through a graph of 20,000 layers", () => {
    const x = variable([2]);
    let y: Node = x;
    for (let layer = 0; layer < 20_000; layer++) y = build.relu(y);
    expect(topologicalOrder([gradientOf(y, x)])).toHaveLength(20_000 * 4 + 3);
  });

  it("holds no array of the image's size for an image of 100,000 pixels a side", () => {
    const x = variable([1, 3, 100_000, 100_000]);
    const conv = (value: Node, channels: number): Node =>
      build.conv(value, variable([channels, value.shape[1] ?? 0, 3, 3], "w"), undefined, { pads: same });
    const encoded = build.relu(conv(build.pad(x, { before: [0, 0, 1, 1], after: [0, 0, 1, 1], mode: "reflect" }), 8));
    const bottom = build.relu(
      conv(
        build.averagePool(build.maxPool(encoded, { kernel: [2, 2] }), { kernel: [3, 3], strides: [1, 1], pads: same }),
        8,
      ),
    );
    const up = build.resize(bottom, { scales: [2, 2], mode: "linear" });
    const joined = build.concat([encoded, up], 1);
    const pooled = build.reduceMean(build.relu(conv(joined, 8)), [2, 3]);
    const gradient = gradientOf(pooled, x, variable([1, 8, 1, 1], "cotangent"));
    expect(gradient.shape).toEqual(x.shape);
    const constants = topologicalOrder([gradient]).filter(({ op }) => op === "Constant");
    expect(Math.max(...constants.map(({ shape }) => sizeOf(shape)))).toBeLessThanOrEqual(100_002);
  });
});

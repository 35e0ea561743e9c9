import { describe, expect, test } from "vitest";
import * as build from "./build.ts";
import { graphOf } from "./graph.ts";
import { createNode } from "./node.ts";
import type { Node } from "./node.ts";
import { evaluate, referenceTensor, roundedTensor } from "./reference.ts";
import { sizeOf, tensorOf } from "./tensor.ts";
import type { Shape } from "./tensor.ts";

/** Numbers without pattern, the same at every run. */
function scattered(shape: Shape, seed: number): Node {
  const data = Array.from(
    { length: sizeOf(shape) },
    (_, index) => (((index + 1) * (seed * 2 + 7) * 37) % 23) / 4 - 2.7,
  );
  return build.constant(tensorOf("float64", shape, data));
}

function elements(node: Node): readonly number[] {
  return [...(evaluate(graphOf({ y: node }), {})["y"]?.data ?? [])];
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] ?? Number.NaN), 0);
}

describe("linear maps and their transposes", () => {
  const geometries: readonly build.ConvolutionOptions[] = [
    {},
    { strides: [2, 3], pads: { top: 1, left: 0, bottom: 2, right: 1 } },
    { strides: [1, 2], dilations: [2, 1], group: 2, pads: { top: 1, left: 1, bottom: 1, right: 1 } },
  ];

  test.each(geometries)("<conv(x), y> = <x, convTranspose(y)> for %o", (options) => {
    const input = scattered([2, 4, 7, 8], 1);
    const weight = scattered([6, 4 / (options.group ?? 1), 3, 2], 2);
    const output = build.conv(input, weight, undefined, options);
    const other = scattered(output.shape, 3);
    const bare = build.convTranspose(other, weight, undefined, options);
    const outputPadding = [7 - (bare.shape[2] ?? 0), 8 - (bare.shape[3] ?? 0)] as const;
    const back = build.convTranspose(other, weight, undefined, { ...options, outputPadding });
    expect(back.shape).toEqual(input.shape);
    expect(dot(elements(input), elements(back))).toBeCloseTo(dot(elements(output), elements(other)), 8);
  });

  test("a convolution is the sum of products that defines it", () => {
    const input = scattered([1, 2, 5, 6], 4);
    const weight = scattered([3, 2, 3, 2], 5);
    const node = build.conv(input, weight, undefined, {
      strides: [2, 1],
      dilations: [1, 2],
      pads: { top: 1, left: 2, bottom: 1, right: 0 },
    });
    const [data, weights, actual] = [elements(input), elements(weight), elements(node)];
    const [, , rows = 0, columns = 0] = node.shape;
    for (const [index, got] of actual.entries()) {
      const [column, y, out] = [
        index % columns,
        Math.floor(index / columns) % rows,
        Math.floor(index / columns / rows),
      ];
      let sum = 0;
      for (let tap = 0; tap < 12; tap++) {
        const [kx, ky, channel] = [tap % 2, Math.floor(tap / 2) % 3, Math.floor(tap / 6)];
        const [iy, ix] = [y * 2 + ky - 1, column + kx * 2 - 2];
        if (iy < 0 || iy >= 5 || ix < 0 || ix >= 6) continue;
        sum += (weights[out * 12 + tap] ?? 0) * (data[(channel * 5 + iy) * 6 + ix] ?? 0);
      }
      expect(got).toBeCloseTo(sum, 10);
    }
  });

  const resizings: readonly build.ResizeOptions[] = [
    { scales: [2, 3] },
    { scales: [0.6, 1.7], coordinates: "asymmetric", rounding: "floor" },
    { scales: [2, 1.5], mode: "linear" },
    { scales: [2, 2], mode: "linear", coordinates: "align_corners" },
  ];

  test.each(resizings)("<resize(x), y> = <x, resizeGradient(y)> for %o", (options) => {
    const input = scattered([2, 2, 5, 6], 6);
    const output = build.resize(input, options);
    const other = scattered(output.shape, 7);
    const back = build.resizeGradient(other, [5, 6], options);
    expect(dot(elements(input), elements(back))).toBeCloseTo(dot(elements(output), elements(other)), 8);
  });
});

describe("evaluating a graph", () => {
  const input = build.input("image", { type: "float32", shape: [2] });

  test("answers every output by name, with inputs, shared values and one node as operand twice", () => {
    const doubled = build.add(input, input);
    const graph = graphOf({ doubled, squared: build.mul(doubled, doubled), image: input });
    const result = evaluate(graph, { image: { shape: [2], data: Float64Array.of(1, 3) } });
    expect(Object.entries(result).map(([name, { data }]) => [name, ...data])).toEqual([
      ["doubled", 2, 6],
      ["squared", 4, 36],
      ["image", 1, 3],
    ]);
  });

  test("works through a graph of ten thousand nodes", () => {
    let node: Node = input;
    for (let depth = 0; depth < 10_000; depth++) node = build.add(node, build.scalarConstant(1));
    const result = evaluate(graphOf({ y: node }), { image: { shape: [2], data: Float64Array.of(0, 5) } });
    expect([...(result["y"]?.data ?? [])]).toEqual([10_000, 10_005]);
  });

  test("leaves the caller's arrays as they were", () => {
    const data = Float64Array.of(-1, 1);
    evaluate(graphOf({ y: build.relu(build.reshape(input, [2, 1])) }), { image: { shape: [2], data } });
    expect([...data]).toEqual([-1, 1]);
  });

  test("refuses an input that is missing or of another shape", () => {
    const graph = graphOf({ y: build.relu(input) });
    expect(() => evaluate(graph, {})).toThrow('the input "image" has no value');
    expect(() => evaluate(graph, { image: { shape: [3], data: new Float64Array(3) } })).toThrow(
      "of shape [2], got [3]",
    );
  });

  test("a tensor of any type is held in float64 and rounded back", () => {
    for (const type of ["float32", "float64", "int64", "int32", "uint8", "uint16", "bool"] as const) {
      const tensor = tensorOf(type, [2], [0, 1]);
      expect(roundedTensor(referenceTensor(tensor), type)).toEqual(tensor);
    }
  });

  test("a node made without a constructor evaluates the same", () => {
    const node = createNode({ op: "ReduceSum", inputs: [build.vectorConstant([1, 2])], attributes: { axes: [] } });
    expect(elements(node)).toEqual([1, 2]);
  });
});

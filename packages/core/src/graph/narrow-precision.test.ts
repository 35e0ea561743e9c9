import { describe, expect, test } from "vitest";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import * as build from "./build.ts";
import { backpropagate } from "./gradient.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Graph } from "./graph.ts";
import { narrowPrecision } from "./narrow-precision.ts";
import type { Node } from "./node.ts";
import { evaluate } from "./reference.ts";
import { elementsOf, float32, sizeOf } from "./tensor.ts";

const settings = { ...defaultUNet, depth: 2, baseChannels: 3, pool: { kind: "mean" } } as const;
const size = { width: 24, height: 20 };

function noise(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => (((Math.imul(i + 1, 2654435761) >>> 9) % 2001) - 1000) / 1000);
}

/**
 * The features of a U-Net and the gradient of their weighted sum to its input, for weights of channels that are given at run time;
 * with `shares`, times weights of pixels that are exponentials of the features and other values, as those of a log-sum-exp pool.
 */
function network({ shares = false } = {}): Graph {
  const { outputs } = unetGraph(settings, unetParameters(settings), size);
  const order = topologicalOrder(Object.values(outputs));
  const image = order.find((node) => node.op === "Input");
  const features = order.find((node) => node.name === "up0");
  if (image === undefined || features === undefined) throw new Error("A U-Net has both.");
  const cotangent = build.input("cotangent", { type: "float32", shape: [1, 3, 1, 1] });
  const exponents = build.input("exponents", { type: "float32", shape: features.shape });
  const incoming = shares
    ? build.mul(cotangent, build.exp(build.add(features, exponents)))
    : build.expand(cotangent, features.shape);
  const [gradient] = backpropagate(new Map([[features, incoming]]), [image]);
  if (gradient === undefined) throw new Error("The features depend on the image.");
  return graphOf({ sum: build.reduceSum(features, [2, 3]), gradient });
}

function values(graph: Graph, cotangent: number, exponent = 0): Readonly<Record<string, Float64Array>> {
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => {
      const data =
        name === "cotangent" ? Float64Array.of(1, -0.5, 0.25).map((x) => x * cotangent) : noise(sizeOf(shape));
      return [name, { shape, data: name === "exponents" ? data.map((value) => exponent + value) : data }];
    }),
  );
  return Object.fromEntries(Object.entries(evaluate(graph, inputs)).map(([name, { data }]) => [name, data]));
}

function relativeErrors(got: Float64Array, expected: Float64Array): Float64Array {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.map((value, i) => Math.abs(value - (got[i] ?? Number.NaN)) / largest).toSorted();
}

function typesOf(graph: Graph, op: Node["op"]): ReadonlySet<string> {
  return new Set(
    topologicalOrder(Object.values(graph.outputs))
      .filter((node) => node.op === op)
      .map((node) => node.type),
  );
}

describe("narrowing to float16", () => {
  const wide = network();
  const narrow = narrowPrecision(wide, "float16");

  test("computes convolutions and what lies between in float16, sums and outputs in float32", () => {
    for (const op of ["Conv", "ConvTranspose", "MaxPool", "MaxPoolGradient", "Concat"] as const) {
      expect(typesOf(narrow, op)).toEqual(new Set(["float16"]));
    }
    expect(typesOf(narrow, "ReduceSum")).toEqual(new Set(["float32"]));
    expect(Object.values(narrow.outputs).map(({ type }) => type)).toEqual(["float32", "float32"]);
    expect(narrow.inputs).toEqual(wide.inputs);
  });

  // Each of some 20 layers rounds its values, and once its weights, by at most 2^-11 of themselves; errors of independent
  // values partly cancel, and where they did not the sum would be 40 x 2^-11 = 2 %.
  test.each([1, 1e-9, 1e-12, 1e6])("gives the same values, whatever the gradient's size: %s", (cotangent) => {
    const [expected, got] = [values(wide, cotangent), values(narrow, cotangent)];
    for (const name of ["sum", "gradient"]) {
      const errors = relativeErrors(got[name] ?? new Float64Array(), expected[name] ?? new Float64Array());
      // A mask that rounding flips near 0 is no matter of rounding alone: all values but one in fifty.
      expect(errors[Math.floor(errors.length * 0.98)]).toBeLessThan(0.02);
      expect(errors.at(-1)).toBeGreaterThan(0);
    }
  });

  test("a gradient's scale is a power of two, so that another gradient's size rounds alike", () => {
    const one = values(narrow, 1)["gradient"];
    const small = values(narrow, 2 ** -30)["gradient"];
    expect(small?.every((value, i) => value * 2 ** 30 === one?.[i])).toBe(true);
  });

  // exp(16) = 8.9 million; what it is multiplied with makes up for it.
  test.each([0, 16, -30])(
    "gives the same values where a gradient is a product whose factors are large: exp(%s)",
    (exponent) => {
      const shared = network({ shares: true });
      const cotangent = Math.exp(-exponent);
      const expected = values(shared, cotangent, exponent)["gradient"] ?? new Float64Array();
      const errors = relativeErrors(
        values(narrowPrecision(shared, "float16"), cotangent, exponent)["gradient"] ?? new Float64Array(),
        expected,
      );
      expect(errors[Math.floor(errors.length * 0.98)]).toBeLessThan(0.02);
      expect(errors.at(-1)).toBeGreaterThan(0);
    },
  );

  test("leaves a graph without convolutions as it is", () => {
    const x = build.input("x", { type: "float32", shape: [2] });
    const graph = graphOf({ y: build.relu(x) });
    expect(narrowPrecision(graph, "float16")).toBe(graph);
  });

  test("rounds weights to float16 and keeps the names of layers", () => {
    const x = build.input("x", { type: "float32", shape: [1, 1, 1, 1] });
    const y = build.conv(x, build.constant(float32([1, 1, 1, 1], [1 / 3])), undefined, { name: "layer" });
    const graph = narrowPrecision(graphOf({ y }), "float16");
    const layer = topologicalOrder(Object.values(graph.outputs)).find((node) => node.name === "layer");
    const weight = layer?.inputs[1];
    expect(layer?.type).toBe("float16");
    expect(weight?.op === "Constant" ? [...elementsOf(weight.attributes.tensor)] : []).toEqual([0.333251953125]);
  });
});

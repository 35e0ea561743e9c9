import { describe, expect, it } from "vitest";
import { add, input, mul, relu } from "../graph/build.ts";
import { graphOf } from "../graph/graph.ts";
import { printGraph } from "../graph/print.ts";
import type { Global } from "./explanation.ts";
import { factorGlobals } from "./factor-globals.ts";

const global = (name: string): Global => {
  const node = input(name, { type: "float32", shape: [1, 3, 1, 1] });
  return { node, from: [name], value: () => new Float64Array(3) };
};
const x = input("x", { type: "float32", shape: [1, 3, 4, 5], spatial: [2, 3] });

describe("factoring globals", () => {
  it("takes them out of a product, on either side", () => {
    const [a, b] = [global("a"), global("b")];
    const { factors, rest } = factorGlobals(mul(a.node, mul(x, b.node)), [a, b]);
    expect(rest).toBe(x);
    expect(factors).toEqual([a, b]);
  });

  it("takes them out of products within products, and not out of sums", () => {
    const a = global("a");
    const { factors, rest } = factorGlobals(mul(mul(a.node, x), relu(x)), [a]);
    expect(factors).toEqual([a]);
    expect(printGraph(graphOf({ rest }))).toBe(printGraph(graphOf({ rest: mul(x, relu(x)) })));
    const sum = mul(add(mul(a.node, x), x), x);
    expect(factorGlobals(sum, [a])).toEqual({ factors: [], rest: sum });
  });

  it("leaves a product of vectors alone, which would lose its cells", () => {
    const a = global("a");
    const vector = input("v", { type: "float32", shape: [1, 1, 1, 1] });
    const product = mul(a.node, vector);
    expect(factorGlobals(product, [a])).toEqual({ factors: [], rest: product });
  });
});

import { describe, expect, it } from "vitest";
import { add, clip, constant, input, mul, relu } from "../graph/build.ts";
import { fingerprint } from "./fingerprint.ts";
import { graphOf } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import { float32, tensorOf } from "../graph/tensor.ts";

interface Parts {
  readonly weights?: readonly number[];
  readonly name?: string;
  readonly label?: string;
  readonly output?: string;
  readonly most?: number;
  readonly extent?: number;
}

function made(parts: Parts = {}): Graph {
  const { weights = [1, 2], name = "x", label = "", output = "y", most = Infinity, extent = 2 } = parts;
  const x = input(name, { type: "float32", shape: [extent, 2] });
  const scaled = mul(x, constant(float32([2], weights)), { name: label });
  return graphOf({ [output]: clip(relu(scaled), { min: 0, max: most }) });
}

describe("a graph's fingerprint", () => {
  it("is equal for equal graphs that were built apart, whatever their values are called", () => {
    expect(fingerprint(made())).toBe(fingerprint(made({ label: "scaled" })));
  });

  it.each<Parts>([{ weights: [1, 3] }, { name: "z" }, { output: "z" }, { most: 6 }, { extent: 3 }])(
    "differs for another graph: %o",
    (parts) => {
      expect(fingerprint(made(parts))).not.toBe(
        fingerprint(made(parts.weights === undefined ? {} : { weights: [1, 0] })),
      );
      expect(fingerprint(made(parts))).not.toBe(fingerprint(made()));
    },
  );

  it("tells operands' order, a value that is read twice, and types", () => {
    const x = input("x", { type: "float32", shape: [2] });
    const [a, b] = [relu(x), mul(x, x)];
    const graphs = [
      graphOf({ y: add(a, b) }),
      graphOf({ y: add(b, a) }),
      graphOf({ y: add(a, a) }),
      graphOf({ y: constant(tensorOf("int32", [1], [1])) }),
      graphOf({ y: constant(tensorOf("float32", [1], [1.401298464324817e-45])) }),
    ];
    expect(new Set(graphs.map(fingerprint)).size).toBe(graphs.length);
  });
});

import { describe, expect, test } from "vitest";
import * as build from "./build.ts";
import { graphOf, topologicalOrder } from "./graph.ts";
import type { Node } from "./node.ts";
import { mapNodes, rewrite, withOperands } from "./rewrite.ts";

const x = build.input("x", { type: "float32", shape: [1, 2, 4, 4] });
const larger = build.input("larger", { type: "float32", shape: [1, 2, 6, 8] });

function replaceX(node: Node): Node {
  return node === x ? larger : node;
}

describe("a node with other operands", () => {
  const weight = build.input("weight", { type: "float32", shape: [3, 2, 3, 3] });
  const bias = build.input("bias", { type: "float32", shape: [3] });

  test.each([
    ["of one operand", build.sigmoid(x), [1, 2, 6, 8]],
    ["of two", build.mul(x, build.scalarConstant(2)), [1, 2, 6, 8]],
    ["with the same operand twice", build.add(x, x), [1, 2, 6, 8]],
    ["with a bias", build.conv(x, weight, bias, { name: "conv" }), [1, 3, 4, 6]],
    ["without a bias", build.conv(x, weight), [1, 3, 4, 6]],
    ["with attributes", build.maxPool(x, { kernel: [2, 2] }), [1, 2, 3, 4]],
    ["of many", build.concat([x, x, x], 1), [1, 6, 6, 8]],
  ])("%s has its shape inferred anew and keeps the rest", (_, node, shape) => {
    const result = withOperands(node, replaceX);
    expect(result.shape).toEqual(shape);
    expect(result).toMatchObject({ op: node.op, name: node.name, attributes: node.attributes });
    expect(result.inputs).toEqual(
      node.inputs.map((operand) => (operand === undefined ? undefined : replaceX(operand))),
    );
  });

  test("is the very same node where no operand changes", () => {
    const node = build.conv(x, weight, bias);
    expect(withOperands(node, (operand) => operand)).toBe(node);
    expect(withOperands(x, () => larger)).toBe(x);
  });

  test("is refused where the operands do not fit", () => {
    const node = build.add(x, build.input("y", { type: "float32", shape: [4, 4] }));
    expect(() => withOperands(node, replaceX)).toThrow("expected shapes that broadcast, got [1, 2, 6, 8] and [4, 4]");
  });
});

describe("rewriting a graph", () => {
  test("replaces bottom-up, keeps what is shared shared and what is untouched itself", () => {
    const untouched = build.exp(larger);
    const shared = build.relu(x);
    const root = build.add(build.tanh(shared), build.abs(shared));
    const rewritten = rewrite([root, untouched], (node) => (node.op === "Relu" ? build.sigmoid(node.inputs[0]) : node));
    const result = rewritten(root);
    expect(topologicalOrder([result]).map(({ op }) => op)).toEqual(["Input", "Sigmoid", "Tanh", "Abs", "Add"]);
    expect(rewritten(untouched)).toBe(untouched);
    expect(rewritten(x)).toBe(x);
  });

  test("shows the rule each node once, rewritten and as it was", () => {
    const root = build.add(build.relu(x), build.relu(x));
    const seen: (readonly [string, string, boolean])[] = [];
    rewrite([root], (node, original) => {
      seen.push([node.op, original.op, node === original]);
      return replaceX(node);
    });
    expect(seen).toEqual([
      ["Input", "Input", true],
      ["Relu", "Relu", false],
      ["Relu", "Relu", false],
      ["Add", "Add", false],
    ]);
  });

  test("works through ten thousand nodes", () => {
    let root: Node = x;
    for (let depth = 0; depth < 10_000; depth++) root = build.relu(root);
    expect(rewrite([root], replaceX)(root).shape).toEqual([1, 2, 6, 8]);
  });

  test("drops what no output depends on any longer", () => {
    const graph = graphOf({ y: build.mul(x, build.scalarConstant(0)) });
    const outputs = mapNodes(
      graph.outputs,
      rewrite(Object.values(graph.outputs), (node) => (node.op === "Mul" ? node.inputs[1] : node)),
    );
    expect(graphOf(outputs).inputs).toEqual([]);
  });
});

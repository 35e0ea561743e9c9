import type { Node, NodeOf } from "../graph/node.ts";

/** How the values of all pixels become one. */
export type Reduction = "mean" | "sum" | "max" | "log-sum-exp";

/**
 * One pooling of the network: an elementwise function of the pooled layer, a reduction over all pixels, and an
 * elementwise function of the result, which the head begins with.
 */
export interface Pool {
  readonly reduction: Reduction;
  /** For people: "mean", "generalised mean, p = 3", "log-sum-exp, r = 4"… */
  readonly label: string;
  /** The value that is pooled, before any elementwise function that is part of the pool. [1, C, h, w] */
  readonly layer: Node;
  /** What the reduction is applied to: `layer` or an elementwise function of it. [1, C, h, w] */
  readonly operand: Node;
  /** The reduction's own node in the model's graph. */
  readonly node: Node;
}

const reductions: Readonly<Partial<Record<Node["op"], Reduction>>> = {
  ReduceMean: "mean",
  ReduceSum: "sum",
  ReduceMax: "max",
  ReduceLogSumExp: "log-sum-exp",
};

/** The reduction that a node is when it runs over exactly the two image axes of an [1, C, h, w] value. */
export function asReduction(node: Node): { readonly reduction: Reduction; readonly operand: Node } | undefined {
  const reduction = reductions[node.op];
  if (reduction === undefined || !("axes" in node.attributes)) return undefined;
  const [operand] = node.inputs;
  if (operand === undefined) return undefined;
  const axes = node.attributes.axes.join();
  if (operand.shape.length === 4 && axes === "2,3") return { reduction, operand };
  const flattened = imageBeforeFlattening(operand);
  return flattened !== undefined && axes === "2" ? { reduction, operand: flattened } : undefined;
}

/** `x` when a node is `x` [1, C, h, w] with its image axes laid out as one: [1, C, h * w]. */
function imageBeforeFlattening(node: Node): Node | undefined {
  if (node.op !== "Reshape" || node.shape.length !== 3) return undefined;
  const [image] = node.inputs;
  const [n, c, h, w] = image.shape;
  if (image.shape.length !== 4 || h === undefined || w === undefined) return undefined;
  return node.shape[0] === n && node.shape[1] === c && node.shape[2] === h * w ? image : undefined;
}

/** Recognises the elementwise function before a reduction: `layer` is what it is applied to. */
export function describePool(node: Node, reduction: Reduction, operand: Node): Pool {
  const parts = { reduction, operand, node };
  if (reduction === "log-sum-exp") {
    const { layer, factor } = withoutFactor(operand);
    return { ...parts, layer, label: factor === 1 ? "log-sum-exp" : `log-sum-exp, r = ${factor}` };
  }
  if (reduction === "mean" && operand.op === "Exp") {
    const { layer, factor } = withoutFactor(operand.inputs[0]);
    return { ...parts, layer, label: factor === 1 ? "log-mean-exp" : `log-mean-exp, r = ${factor}` };
  }
  if (reduction === "mean" && operand.op === "Pow") {
    const exponent = scalarOf(operand.inputs[1]);
    if (exponent !== undefined) {
      return { ...parts, layer: withoutFloor(operand.inputs[0]), label: `generalised mean, p = ${exponent}` };
    }
  }
  return { ...parts, layer: operand, label: reduction };
}

/**
 * The clip that keeps powers of negative numbers away belongs to the pool where it changes next to nothing, after a
 * ReLU. Elsewhere it may be the body's own non-linearity: exporters merge a ReLU and the clip after it into one.
 */
function withoutFloor(node: Node): Node {
  if (node.op !== "Clip" || node.attributes.max !== Infinity || node.attributes.min >= 0.01) return node;
  const [layer] = node.inputs;
  return layer.op === "Relu" ? layer : node;
}

function withoutFactor(node: Node): { readonly layer: Node; readonly factor: number } {
  if (node.op !== "Mul" && node.op !== "Div") return { layer: node, factor: 1 };
  const [a, b] = node.inputs;
  const right = scalarOf(b);
  if (right !== undefined) return { layer: a, factor: node.op === "Mul" ? right : 1 / right };
  const left = scalarOf(a);
  return left !== undefined && node.op === "Mul" ? { layer: b, factor: left } : { layer: node, factor: 1 };
}

/** The number that a one-element constant holds, to the seven digits that float32 has. */
function scalarOf(node: Node | NodeOf<"Constant">): number | undefined {
  if (node.op !== "Constant" || node.attributes.tensor.data.length !== 1) return undefined;
  return Number(Number(node.attributes.tensor.data[0]).toPrecision(7));
}

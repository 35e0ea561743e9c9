import { add, reshape } from "./build.ts";
import { convolution, transposedConvolution } from "./gradient/convolution.ts";
import * as elementwise from "./gradient/elementwise.ts";
import * as layout from "./gradient/layout.ts";
import { pad } from "./gradient/pad.ts";
import { averagePool, maxPool, maxPoolGradient } from "./gradient/pooling.ts";
import * as reduction from "./gradient/reduction.ts";
import { resize, resizeGradient } from "./gradient/resize.ts";
import { none } from "./gradient/rule.ts";
import type { GradientRequest, GradientRule } from "./gradient/rule.ts";
import { operandsOf, topologicalOrder } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import type { OperatorName } from "./vocabulary.ts";

export { expandTo } from "./gradient/broadcast.ts";

/** What each operator makes of the gradient of its value, in the same vocabulary. */
export const gradientRules: { readonly [O in OperatorName]: GradientRule<O> } = {
  Input: none,
  Constant: none,
  Coordinate: none,

  Relu: elementwise.relu,
  LeakyRelu: elementwise.leakyRelu,
  Sigmoid: elementwise.sigmoid,
  Tanh: elementwise.tanh,
  Exp: elementwise.exp,
  Log: elementwise.log,
  Sqrt: elementwise.sqrt,
  Abs: elementwise.absolute,
  Sign: none,
  Floor: none,
  Round: none,
  Clip: elementwise.clip,
  Cast: elementwise.castTo,

  Add: elementwise.addition,
  Sub: elementwise.subtraction,
  Mul: elementwise.multiplication,
  Div: elementwise.division,
  Pow: elementwise.exponentiation,
  Maximum: elementwise.maximum,
  Minimum: elementwise.minimum,
  Equal: none,
  Greater: none,
  GreaterOrEqual: none,

  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maxPool,
  MaxPoolGradient: maxPoolGradient,
  AveragePool: averagePool,
  Resize: resize,
  ResizeGradient: resizeGradient,

  Pad: pad,
  Slice: layout.slice,
  Concat: layout.concat,
  Reshape: layout.reshaped,
  Transpose: layout.transpose,
  Expand: layout.expand,

  ReduceSum: reduction.sum,
  ReduceMean: reduction.mean,
  ReduceMax: reduction.maximum,
  ReduceMin: reduction.minimum,
  ReduceProd: reduction.product,
  ReduceLogSumExp: reduction.logSumExp,
  ArgMax: none,

  MatMul: reduction.matMul,
  Softmax: reduction.softmax,
};

function applyRule<O extends OperatorName>(
  node: NodeOf<O>,
  request: Pick<GradientRequest<O>, "gradient" | "operand">,
): Node | undefined {
  return gradientRules[node.op]({ node, ...request });
}

/**
 * Reverse-mode differentiation of y = sum over outputs of <cotangent, output>: the gradients dy/dnode of the nodes in
 * `wrt`, as nodes of the same vocabulary that may use values of the forward graph. They can be differentiated again.
 * @param cotangents For each output dy/doutput, of its element type, in any shape that broadcasts to the output's.
 * @param wrt Any nodes: inputs, parameters (Constant nodes too), values on the way. Only what lies between them and the
 *   outputs is visited, and the gradient of an operand that leads to none of them (a frozen weight) is not built.
 * @param options `held`: nodes that are taken for constants, whatever they depend on.
 * @returns In the order of `wrt`, each of its node's rank and type. **An axis along which a gradient is constant may have
 *   extent 1**, as [1, C, 1, 1] below a mean over all pixels: `expandTo(gradient, node.shape)` where every value is
 *   needed. `undefined` where no output depends on the node, or depends on it in steps only.
 * @throws {RangeError} when a cotangent fits its output neither in shape nor in type.
 */
export function backpropagate(
  cotangents: ReadonlyMap<Node, Node>,
  wrt: readonly Node[],
  { held = new Set() }: { readonly held?: ReadonlySet<Node> } = {},
): readonly (Node | undefined)[] {
  const order = topologicalOrder(cotangents.keys());
  const active = differentiablyDependent(order, wrt, held);
  const gradients = new Map<Node, Node>();
  const accumulate = (node: Node, share: Node): void => {
    const known = gradients.get(node);
    gradients.set(node, known === undefined ? share : add(known, share));
  };
  for (const [output, cotangent] of cotangents) {
    const seed = alignedCotangent(output, cotangent);
    if (active.has(output)) accumulate(output, seed);
  }
  for (const node of order.toReversed()) {
    const gradient = gradients.get(node);
    if (gradient === undefined) continue;
    for (const [operand, input] of node.inputs.entries()) {
      if (input === undefined || !active.has(input)) continue;
      const share = applyRule(node, { gradient, operand });
      if (share !== undefined) accumulate(input, share);
    }
  }
  return wrt.map((node) => gradients.get(node));
}

/** The floating-point nodes of `order` that are in `wrt` or have an operand that is one of these, and are not held. */
function differentiablyDependent(
  order: readonly Node[],
  wrt: readonly Node[],
  held: ReadonlySet<Node>,
): ReadonlySet<Node> {
  const sources = new Set(wrt);
  const dependent = new Set<Node>();
  for (const node of order) {
    const depends = sources.has(node) || operandsOf(node).some((operand) => dependent.has(operand));
    if (depends && !held.has(node) && elementwise.isFloating(node.type)) dependent.add(node);
  }
  return dependent;
}

/** The cotangent with as many axes as the output has. */
function alignedCotangent(output: Node, cotangent: Node): Node {
  const missing = output.shape.length - cotangent.shape.length;
  const shape = [...Array.from({ length: Math.max(0, missing) }, () => 1), ...cotangent.shape];
  const fits = missing >= 0 && shape.every((extent, axis) => extent === 1 || extent === output.shape[axis]);
  if (!fits || cotangent.type !== output.type) {
    throw new RangeError(
      `Differentiating ${output.op} "${output.name}": expected a cotangent that broadcasts to ${output.type} ` +
        `[${output.shape.join(", ")}], got ${cotangent.type} [${cotangent.shape.join(", ")}].`,
    );
  }
  return reshape(cotangent, shape);
}

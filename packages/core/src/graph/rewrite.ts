import { operandsOf, topologicalOrder } from "./graph.ts";
import { createNode } from "./node.ts";
import type { Node, NodeOf } from "./node.ts";
import type { Inputs, OperatorName } from "./vocabulary.ts";

/** What takes an operand's place. */
export type MapOperand = (operand: Node) => Node;

type Nodes = { readonly [O in OperatorName]: NodeOf<O> };
type Rebuild<O extends OperatorName> = (node: NodeOf<O>, map: MapOperand) => Nodes[O];
/** The operators whose operands are exactly these. */
type Taking<Operands> = { readonly [O in OperatorName]: Inputs<O> extends Operands ? O : never }[OperatorName];

function leaf<O extends Taking<readonly []>>(node: NodeOf<O>): NodeOf<O> {
  return node;
}

function unary<O extends Taking<readonly [Node]>>(node: NodeOf<O>, map: MapOperand): NodeOf<O> {
  return createNode({ ...node, inputs: [map(node.inputs[0])] });
}

function binary<O extends Taking<readonly [Node, Node]>>(node: NodeOf<O>, map: MapOperand): NodeOf<O> {
  return createNode({ ...node, inputs: [map(node.inputs[0]), map(node.inputs[1])] });
}

function convolution<O extends Taking<readonly [Node, Node, Node | undefined]>>(
  node: NodeOf<O>,
  map: MapOperand,
): NodeOf<O> {
  const [x, weight, bias] = node.inputs;
  return createNode({ ...node, inputs: [map(x), map(weight), bias === undefined ? undefined : map(bias)] });
}

const rebuild: { readonly [O in OperatorName]: Rebuild<O> } = {
  Input: leaf,
  Constant: leaf,
  Coordinate: leaf,
  Relu: unary,
  LeakyRelu: unary,
  Sigmoid: unary,
  Tanh: unary,
  Exp: unary,
  Log: unary,
  Sqrt: unary,
  Abs: unary,
  Sign: unary,
  Floor: unary,
  Round: unary,
  Clip: unary,
  Cast: unary,
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Pow: binary,
  Maximum: binary,
  Minimum: binary,
  Equal: binary,
  Greater: binary,
  GreaterOrEqual: binary,
  Conv: convolution,
  ConvTranspose: convolution,
  MaxPool: unary,
  MaxPoolGradient: binary,
  AveragePool: unary,
  Resize: unary,
  ResizeGradient: unary,
  Pad: unary,
  Slice: unary,
  Concat: (node, map) => createNode({ ...node, inputs: node.inputs.map((operand) => map(operand)) }),
  Reshape: unary,
  Transpose: unary,
  Expand: unary,
  ReduceSum: unary,
  ReduceMean: unary,
  ReduceMax: unary,
  ReduceMin: unary,
  ReduceProd: unary,
  ReduceLogSumExp: unary,
  ArgMax: unary,
  MatMul: binary,
  Softmax: unary,
};

function rebuilt<O extends OperatorName>(node: NodeOf<O>, map: MapOperand): Nodes[O] {
  return rebuild[node.op](node, map);
}

/**
 * The node with other operands, its shape inferred anew; the very same node where every operand stays.
 * @throws {SlidelightError} `model-shape` when the operands do not fit.
 */
export function withOperands(node: Node, map: MapOperand): Node {
  const changed = operandsOf(node).some((operand) => map(operand) !== operand);
  return changed ? rebuilt(node, map) : node;
}

/**
 * Rewrites bottom-up: `rule` sees every node once, with its operands already rewritten (`original` is the node that
 * the caller's graph holds), and returns what takes its place, or the node itself. What is shared stays shared.
 * @returns For each node that the roots depend on, what took its place; other nodes are answered unchanged.
 */
export function rewrite(roots: Iterable<Node>, rule: (node: Node, original: Node) => Node): (node: Node) => Node {
  const results = new Map<Node, Node>();
  const rewritten = (node: Node): Node => results.get(node) ?? node;
  for (const node of topologicalOrder(roots)) results.set(node, rule(withOperands(node, rewritten), node));
  return rewritten;
}

/** The same record with each node replaced. */
export function mapNodes(nodes: Readonly<Record<string, Node>>, map: MapOperand): Readonly<Record<string, Node>> {
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, map(node)]));
}

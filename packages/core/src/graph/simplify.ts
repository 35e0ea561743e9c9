import { add, concat, mul, negate, pow, reduceSum, reshape, scalarLike, slice, transpose } from "./build.ts";
import { broadcastShapes, sameShape } from "./extents.ts";
import { foldedConstant } from "./fold-constants.ts";
import { graphOf } from "./graph.ts";
import type { Graph } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import { mapNodes, rewrite, withOperands } from "./rewrite.ts";
import { elementsOf, sizeOf } from "./tensor.ts";
import type { OperatorName } from "./vocabulary.ts";

/** What takes the node's place, or `undefined`. */
type Simplification<O extends OperatorName> = (node: NodeOf<O>) => Node | undefined;

/**
 * The same values in fewer operators: chains of sums and of products with Constants are one, layouts that undo each other
 * are gone, as are functions that change nothing. Constants that are put together are rounded to their type once.
 */
export function simplify(graph: Graph): Graph {
  const roots = Object.values(graph.outputs);
  return graphOf(mapNodes(graph.outputs, rewrite(roots, simplified)));
}

/** Each step leaves a smaller graph, or one whose Constants stand last. */
function simplified(node: Node): Node {
  let current = node;
  for (let next = simplerOf(current); next !== undefined; next = simplerOf(current)) current = next;
  return current;
}

function simplerOf<O extends OperatorName>(node: NodeOf<O>): Node | undefined {
  const rule: Simplification<O> | undefined = simplifications[node.op];
  return rule?.(node);
}

const simplifications: { readonly [O in OperatorName]?: Simplification<O> } = {
  Relu: ({ inputs: [x] }) => (isNeverNegative(x) ? x : undefined),
  Abs: ({ inputs: [x] }) => (isNeverNegative(x) ? x : undefined),

  Add: (node) => constantLast(node) ?? withoutNeutral(node, 0) ?? joined(node, add) ?? withoutExpand(node),
  Mul: (node) => constantLast(node) ?? withoutNeutral(node, 1) ?? joined(node, mul) ?? withoutExpand(node),
  Sub: (node) => {
    const [a, b] = node.inputs;
    return isConstant(b) ? add(a, foldedConstant(negate(b)), named(node)) : withoutExpand(node);
  },
  Div: (node) => {
    const [a, b] = node.inputs;
    const invertible = isConstant(b) && isFloating(b) && elementsOf(b.attributes.tensor).every((value) => value !== 0);
    return invertible ? mul(a, foldedConstant(pow(b, scalarLike(b, -1))), named(node)) : withoutExpand(node);
  },

  Transpose: (node) => {
    const [x] = node.inputs;
    if (x.op !== "Transpose") return undefined;
    const { permutation } = x.attributes;
    return transpose(
      x.inputs[0],
      node.attributes.permutation.map((axis) => permutation[axis] ?? axis),
    );
  },
  Reshape: ({ inputs: [x], shape }) =>
    x.op === "Reshape" ? reshape(x.inputs[0], shape) : sameShape(x.shape, shape) ? x : undefined,
  ReduceSum: sumBeforeSlice,
  Slice: (node) => {
    const [x] = node.inputs;
    if (x.op === "Slice") return sliceOfSlice(node, x);
    return x.op === "Concat" ? sliceOfConcat(node, x) : undefined;
  },
};

function named({ name }: Node): { readonly name?: string } {
  return name === "" ? {} : { name };
}

function isConstant(node: Node): node is NodeOf<"Constant"> {
  return node.op === "Constant";
}

function isFloating({ type }: Node): boolean {
  return type === "float32" || type === "float64";
}

const neverNegative: ReadonlySet<OperatorName> = new Set([
  "Relu",
  "Abs",
  "Exp",
  "Sigmoid",
  "Sqrt",
  "Softmax",
  "Equal",
  "Greater",
  "GreaterOrEqual",
]);

/** Layouts of such values are such values. */
function isNeverNegative(node: Node): boolean {
  if (neverNegative.has(node.op)) return true;
  if (node.op === "Slice" || node.op === "Transpose" || node.op === "Reshape") return isNeverNegative(node.inputs[0]);
  return node.op === "Clip" && node.attributes.min >= 0;
}

type Commutative = NodeOf<"Add"> | NodeOf<"Mul">;

function constantLast(node: Commutative): Node | undefined {
  const [a, b] = node.inputs;
  if (!isConstant(a) || isConstant(b)) return undefined;
  return node.op === "Add" ? add(b, a, named(node)) : mul(b, a, named(node));
}

/** x + 0, x * 1. */
function withoutNeutral({ inputs: [a, b], shape }: Commutative, neutral: number): Node | undefined {
  if (!isConstant(b) || !sameShape(a.shape, shape)) return undefined;
  return elementsOf(b.attributes.tensor).every((value) => value === neutral) ? a : undefined;
}

/** (x + a) + b with Constants a, b: x + (a + b). */
function joined(node: Commutative, combine: (a: Node, b: Node) => Node): Node | undefined {
  const [inner, outer] = node.inputs;
  if (inner.op !== node.op || !isConstant(outer) || !isFloating(outer)) return undefined;
  const [x, constant] = inner.inputs;
  if (!isConstant(constant)) return undefined;
  const both = foldedConstant(combine(constant, outer));
  // One that is larger than both would cost more than it saves.
  return isConstant(both) && sizeOf(both.shape) <= Math.max(sizeOf(constant.shape), sizeOf(outer.shape))
    ? combine(x, both)
    : undefined;
}

/** An operand that is repeated to the result's shape broadcasts by itself, where the other one has that shape. */
function withoutExpand(node: NodeOf<"Add"> | NodeOf<"Mul"> | NodeOf<"Sub"> | NodeOf<"Div">): Node | undefined {
  const [a, b] = node.inputs;
  const bare = [a, b].map((operand) => (operand.op === "Expand" ? operand.inputs[0] : operand));
  const [left = a, right = b] = bare;
  const replaced = (first: Node, second: Node): Node | undefined => {
    const shape = broadcastShapes(first.shape, second.shape);
    if (shape === undefined || !sameShape(shape, node.shape)) return undefined;
    return a === b ? undefined : withOperands(node, (operand) => (operand === a ? first : second));
  };
  if (left !== a && right !== b) return replaced(left, right) ?? replaced(left, b);
  if (left !== a) return replaced(left, b);
  return right === b ? undefined : replaced(a, right);
}

function sliceOfSlice(outer: NodeOf<"Slice">, inner: NodeOf<"Slice">): Node {
  const { starts, sizes, steps } = outer.attributes;
  const at = (values: readonly number[], axis: number): number => values[axis] ?? 0;
  return slice(inner.inputs[0], {
    starts: starts.map((start, axis) => at(inner.attributes.starts, axis) + start * at(inner.attributes.steps, axis)),
    sizes,
    steps: steps.map((step, axis) => step * at(inner.attributes.steps, axis)),
    ...named(outer),
  });
}

/** Of how many more lines the sum may be taken, than those that are needed, rather than copying these: each is read once anyway. */
const mostLines = 1.5;

/** A sum along axes that are taken whole: what is cut off along others is cut off of the sums, which are few. */
function sumBeforeSlice(node: NodeOf<"ReduceSum">): Node | undefined {
  const { axes } = node.attributes;
  const [x] = node.inputs;
  if (x.op !== "Slice") return undefined;
  const [whole] = x.inputs;
  const { starts, sizes, steps } = x.attributes;
  const isWhole = (axis: number): boolean => sizes[axis] === whole.shape[axis] && steps[axis] === 1;
  if (!axes.every(isWhole) || sizeOf(whole.shape) > mostLines * sizeOf(x.shape)) return undefined;
  const summed = (values: readonly number[]): readonly number[] =>
    values.map((value, axis) => (axes.includes(axis) ? Math.min(value, 1) : value));
  return slice(reduceSum(whole, axes), { starts, sizes: summed(sizes), steps, ...named(node) });
}

/** What is taken of joined values, from each of them alone. */
function sliceOfConcat(node: NodeOf<"Slice">, whole: NodeOf<"Concat">): Node | undefined {
  const { axis } = whole.attributes;
  const { starts, sizes, steps } = node.attributes;
  if (steps[axis] !== 1) return undefined;
  const [from, size] = [starts[axis] ?? 0, sizes[axis] ?? 0];
  let offset = 0;
  const parts: Node[] = [];
  for (const operand of whole.inputs) {
    const extent = operand.shape[axis] ?? 0;
    const start = Math.max(0, from - offset);
    const end = Math.min(extent, from + size - offset);
    if (end > start) {
      parts.push(slice(operand, { starts: starts.with(axis, start), sizes: sizes.with(axis, end - start), steps }));
    }
    offset += extent;
  }
  // Only where something of the joined value is not copied any more.
  return parts.length > 0 && parts.length < whole.inputs.length ? concat(parts, axis, named(node)) : undefined;
}

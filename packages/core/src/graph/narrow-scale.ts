import { abs, div, floor, log, maximum, pow, reduceMax, reshape, scalarConstant } from "./build.ts";
import { operandsOf } from "./graph.ts";
import type { Node, NodeOf } from "./node.ts";
import type { OperatorName } from "./vocabulary.ts";

/** Whether an operator's result is scaled by a factor when these of its operands are; `undefined`: it is neither. */
type Homogeneity<O extends OperatorName> = (node: NodeOf<O>, scaled: readonly boolean[]) => boolean;

const always = (): boolean => true;
const never = (): boolean => false;
const all = (_: Node, scaled: readonly boolean[]): boolean => scaled.every(Boolean);
const one = (_: Node, scaled: readonly boolean[]): boolean => scaled.filter(Boolean).length === 1;
/** The first operand alone, weights staying as they are; a bias would have to be scaled too. */
const firstOfTwo = (_: Node, scaled: readonly boolean[]): boolean =>
  scaled.length === 2 && scaled[0] === true && !scaled[1];

/** f(s x) = s f(x) for s > 0, asked where at least one operand is scaled. */
const homogeneity: { readonly [O in OperatorName]: Homogeneity<O> } = {
  Input: never,
  Constant: never,
  Coordinate: never,
  Relu: always,
  LeakyRelu: always,
  Sigmoid: never,
  Tanh: never,
  Exp: never,
  Log: never,
  Sqrt: never,
  Abs: always,
  Sign: never,
  Floor: never,
  Round: never,
  Clip: never,
  Cast: never,
  Add: all,
  Sub: all,
  Mul: one,
  Div: never,
  Pow: never,
  Maximum: all,
  Minimum: all,
  Equal: never,
  Greater: never,
  GreaterOrEqual: never,
  Conv: firstOfTwo,
  ConvTranspose: firstOfTwo,
  MaxPool: always,
  MaxPoolGradient: (_, [x, gradient]) => x === false && gradient === true,
  AveragePool: always,
  Resize: always,
  ResizeGradient: always,
  Pad: ({ attributes: { mode, value } }) => mode !== "constant" || value === 0,
  Slice: always,
  Concat: all,
  Reshape: always,
  Transpose: always,
  Expand: always,
  ReduceSum: always,
  ReduceMean: always,
  ReduceMax: always,
  ReduceMin: always,
  ReduceProd: never,
  ReduceLogSumExp: never,
  ArgMax: never,
  MatMul: one,
  Softmax: never,
};

function staysScaled<O extends OperatorName>(node: NodeOf<O>, scaled: readonly boolean[]): boolean {
  return homogeneity[node.op](node, scaled);
}

/**
 * Which of the values that enter a part of a graph can be scaled by a common factor so that the part's values are all
 * either scaled by it or the same as before: a gradient's can, which passes linear operators only.
 * @param part The part's nodes, each after its operands.
 * @param entries Candidates; `part` does not hold them.
 * @returns The entries that can, with the nodes that are then scaled.
 */
export function scalable(
  part: readonly Node[],
  entries: Iterable<Node>,
): { readonly entries: ReadonlySet<Node>; readonly scaled: ReadonlySet<Node> } {
  const seeds = new Set(entries);
  for (;;) {
    const sources = new Map<Node, ReadonlySet<Node>>([...seeds].map((seed) => [seed, new Set([seed])]));
    const faults = part.flatMap((node): readonly Node[] => {
      const operands = operandsOf(node);
      const flags = operands.map((operand) => sources.has(operand));
      if (!flags.includes(true)) return [];
      const from = new Set(operands.flatMap((operand) => [...(sources.get(operand) ?? [])]));
      if (!staysScaled(node, flags)) return [...from];
      sources.set(node, from);
      return [];
    });
    if (faults.length === 0) return { entries: seeds, scaled: new Set(part.filter((node) => sources.has(node))) };
    for (const seed of faults) seeds.delete(seed);
  }
}

/** Where the largest scaled value comes to lie: 4,000 times below the end of float16, 2^18 above its first normal number. */
const top = 16;
/** Keeps the factor finite where all values are 0. */
const least = 1e-30;

/**
 * The power of two by which the values' largest magnitude comes to lie in (8, 16], a scalar: as a power of two it changes no
 * digit of a value, so that tiles with other factors round alike.
 */
export function scaleOf(values: Iterable<Node>): Node {
  const [first = scalarConstant(1), ...others] = [...values].map(largest);
  const most = maximum(
    others.reduce((a, b) => maximum(a, b), first),
    scalarConstant(least),
  );
  const octaves = floor(div(log(div(scalarConstant(top), most)), scalarConstant(Math.LN2)));
  return pow(scalarConstant(2), octaves);
}

function largest(value: Node): Node {
  const axes = value.shape.map((_, axis) => axis);
  return axes.length === 0 ? abs(value) : reshape(reduceMax(abs(value), axes), []);
}

import { input } from "../graph/build.ts";
import { backpropagate, expandTo } from "../graph/gradient.ts";
import { graphOf, topologicalOrder } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { evaluate } from "../graph/reference.ts";
import type { ReferenceTensor } from "../graph/reference.ts";
import type { Head } from "../model/split.ts";

/** The head and its derivative, evaluated in float64: it is a small function of one vector for each pool. */
export interface HeadSolver {
  /** Whether the derivative is the same whatever the pooled values: then it is known before the first sweep. */
  readonly linear: boolean;
  /** Class scores from the pooled vectors. */
  logits(pooled: readonly Float64Array[]): Float64Array;
  /** dy/dv for each pool, y = sum_c cotangent_c logit_c. `pooled` is not read when the head is linear. */
  gradient(cotangent: Float64Array, pooled?: readonly Float64Array[]): readonly Float64Array[];
  /**
   * The weights that the linear layer gives the pooled features (after the pool's own elementwise function), by the
   * same cotangent; `undefined` when there are several pools or what follows them is not linear.
   */
  featureWeights(cotangent: Float64Array): Float64Array | undefined;
}

export function solveHead(head: Head): HeadSolver {
  const seed = input("cotangent", { type: "float32", shape: [1, head.classes] });
  const derivative = (wrt: readonly Node[]): readonly (Node | undefined)[] =>
    backpropagate(new Map([[head.logits, seed]]), wrt);
  const dependsOnPools = (nodes: readonly (Node | undefined)[]): boolean => {
    const order = topologicalOrder(nodes.filter((node) => node !== undefined));
    return order.some((node) => head.pooled.some((pooled) => pooled === node));
  };
  const gradients = derivative(head.pooled);
  const linear = !dependsOnPools(gradients);
  const gradientGraph = graphOf(named(gradients, head.pooled));
  const features = featuresOf(head);
  const [byFeature] = features === undefined ? [] : derivative([features]);
  const known = byFeature === undefined || features === undefined || dependsOnPools([byFeature]);
  const weights = known ? undefined : expandTo(byFeature, features.shape);

  const feed = (pooled: readonly Float64Array[]): Record<string, ReferenceTensor> =>
    Object.fromEntries(head.pooled.map((node, i) => [node.name, { shape: node.shape, data: vector(pooled, i) }]));
  const seedOf = (cotangent: Float64Array): Record<string, ReferenceTensor> => ({
    cotangent: { shape: seed.shape, data: cotangent },
  });
  return {
    linear,
    logits: (pooled) => valueOf(evaluate(head.graph, feed(pooled)), "logits"),
    gradient: (cotangent, pooled) => {
      const known = pooled ?? head.pooled.map((node) => new Float64Array(node.shape[1] ?? 0));
      const values = evaluate(gradientGraph, { ...feed(known), ...seedOf(cotangent) });
      return head.pooled.map((node, i) =>
        gradients[i] === undefined ? new Float64Array(node.shape[1] ?? 0) : valueOf(values, String(i)),
      );
    },
    featureWeights: (cotangent) =>
      weights === undefined ? undefined : valueOf(evaluate(graphOf({ weights }), seedOf(cotangent)), "weights"),
  };
}

/** Gradients by index, each as long as what it is a gradient to. */
function named(nodes: readonly (Node | undefined)[], wrt: readonly Node[]): Readonly<Record<string, Node>> {
  const entries: [string, Node][] = [];
  wrt.forEach((value, index) => {
    const node = nodes[index];
    if (node !== undefined) entries.push([String(index), expandTo(node, value.shape)]);
  });
  return Object.fromEntries(entries);
}

/** The pooled features: the only pool's value after the elementwise operators that follow it at once. */
function featuresOf(head: Head): Node | undefined {
  const [pooled, ...others] = head.pooled;
  if (pooled === undefined || others.length > 0) return undefined;
  const order = topologicalOrder([head.logits]);
  let node: Node = pooled;
  for (;;) {
    const current: Node = node;
    const users: readonly Node[] = order.filter((user) => user.inputs.some((operand) => operand === current));
    const [user] = users;
    if (user === undefined || users.length > 1 || !isElementwiseOfOne(user, current)) return current;
    node = user;
  }
}

const elementwise: ReadonlySet<Node["op"]> = new Set([
  "Pow",
  "Log",
  "Exp",
  "Sqrt",
  "Mul",
  "Div",
  "Add",
  "Sub",
  "Reshape",
]);

/** Elementwise in `operand`, with one number for all channels as the other operand. */
function isElementwiseOfOne(user: Node, operand: Node): boolean {
  if (!elementwise.has(user.op)) return false;
  return user.inputs.every(
    (other) => other === operand || (other?.op === "Constant" && other.attributes.tensor.data.length === 1),
  );
}

function vector(values: readonly Float64Array[], index: number): Float64Array {
  const value = values[index];
  if (value === undefined) throw new RangeError(`The head has no pooled vector ${index}.`);
  return value;
}

function valueOf(values: Readonly<Record<string, ReferenceTensor>>, name: string): Float64Array {
  const value = values[name];
  if (value === undefined) throw new RangeError(`The head has no output "${name}".`);
  return value.data;
}

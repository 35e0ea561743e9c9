import { operandsOf, topologicalOrder } from "./graph.ts";
import { elementwise } from "./locality/elementwise.ts";
import {
  alongOtherAxes,
  concatLocality,
  constantLocality,
  coordinateLocality,
  expandLocality,
  inputLocality,
  padLocality,
  reshapeLocality,
  sliceLocality,
  transposeLocality,
} from "./locality/layout.ts";
import { matMulLocality } from "./locality/mat-mul.ts";
import type { Layout, LayoutOf, Locality, LocalityRule } from "./locality/rule.ts";
import {
  averagePoolLocality,
  convLocality,
  convTransposeLocality,
  maxPoolGradientLocality,
  maxPoolLocality,
  resizeGradientLocality,
  resizeLocality,
} from "./locality/windowed.ts";
import type { Node, NodeOf } from "./node.ts";
import type { OperatorName } from "./vocabulary.ts";

type Reduction = {
  readonly [O in "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceLogSumExp"]: NodeOf<O>;
};

function reduction(node: Reduction[keyof Reduction], layoutOf: LayoutOf): Locality {
  return alongOtherAxes(node, node.attributes.axes, layoutOf(node.inputs[0]), "reduces");
}

const localityRules: { readonly [O in OperatorName]: LocalityRule<O> } = {
  Input: inputLocality,
  Constant: constantLocality,
  Coordinate: coordinateLocality,
  Relu: elementwise,
  LeakyRelu: elementwise,
  Sigmoid: elementwise,
  Tanh: elementwise,
  Exp: elementwise,
  Log: elementwise,
  Sqrt: elementwise,
  Abs: elementwise,
  Sign: elementwise,
  Floor: elementwise,
  Round: elementwise,
  Clip: elementwise,
  Cast: elementwise,
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Pow: elementwise,
  Maximum: elementwise,
  Minimum: elementwise,
  Equal: elementwise,
  Greater: elementwise,
  GreaterOrEqual: elementwise,
  Conv: convLocality,
  ConvTranspose: convTransposeLocality,
  MaxPool: maxPoolLocality,
  MaxPoolGradient: maxPoolGradientLocality,
  AveragePool: averagePoolLocality,
  Resize: resizeLocality,
  ResizeGradient: resizeGradientLocality,
  Pad: padLocality,
  Slice: sliceLocality,
  Concat: concatLocality,
  Reshape: reshapeLocality,
  Transpose: transposeLocality,
  Expand: expandLocality,
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceLogSumExp: reduction,
  ArgMax: (node, layoutOf) =>
    alongOtherAxes(node, [node.attributes.axis], layoutOf(node.inputs[0]), "finds the maximum"),
  MatMul: matMulLocality,
  Softmax: (node, layoutOf) =>
    alongOtherAxes(node, [node.attributes.axis], layoutOf(node.inputs[0]), "takes the softmax"),
};

function localityOf<O extends OperatorName>(node: NodeOf<O>, layoutOf: LayoutOf): Locality {
  return localityRules[node.op](node, layoutOf);
}

/** What is known of every node that some roots depend on. */
export interface LocalityAnalysis {
  readonly order: readonly Node[];
  of(node: Node): Locality;
}

export function analyseLocality(roots: Iterable<Node>): LocalityAnalysis {
  const known = new Map<Node, Locality>();
  const layoutOf = (node: Node): Layout | undefined => {
    const locality = known.get(node);
    return locality !== undefined && "layout" in locality ? locality.layout : undefined;
  };
  const order = topologicalOrder(roots);
  for (const node of order) {
    // A value that follows from one without a rule has none either; the first one is what is reported.
    const blocked = operandsOf(node).find((operand) => "reason" in (known.get(operand) ?? {}));
    const before = blocked === undefined ? undefined : known.get(blocked);
    known.set(node, before ?? localityOf(node, layoutOf));
  }
  return {
    order,
    of: (node) => {
      const locality = known.get(node);
      if (locality === undefined) throw new RangeError(`The node ${node.op} "${node.name}" was not analysed.`);
      return locality;
    },
  };
}

/** The first node that no tile can compute from a window, and why. */
export function findNonLocal(roots: Iterable<Node>): { readonly node: Node; readonly reason: string } | undefined {
  const { order, of } = analyseLocality(roots);
  for (const node of order) {
    const locality = of(node);
    if ("reason" in locality) return { node, reason: locality.reason };
  }
  return undefined;
}

import { add, expand, mul, scalarConstant } from "../build.ts";
import { sameShape } from "../extents.ts";
import { operandsOf } from "../graph.ts";
import type { Node } from "../node.ts";
import { withOperands } from "../rewrite.ts";
import type { ElementType } from "../tensor.ts";
import { global, present } from "./rule.ts";
import type { Layout, LayoutOf, Locality } from "./rule.ts";

/** An axis of a broadcast operand, counted from the last one. */
function axisIn(operand: Node, result: Node, axis: number): number {
  return axis - (result.shape.length - operand.shape.length);
}

/**
 * Operators whose value at a position depends on their operands' values at that position alone. Operands broadcast:
 * one that has extent 1 along an image axis is taken as it is there.
 */
export function elementwise(node: Node, layoutOf: LayoutOf): Locality {
  const operands = operandsOf(node);
  const layout = commonLayout(node, operands, layoutOf);
  if (layout === "mixed") return { reason: "combines values whose image axes differ" };
  if (layout === undefined) return global;
  return {
    layout,
    along: (axis, out) => ({
      needs: operands.map((operand) => {
        const own = axisIn(operand, node, layout[axis]);
        const extent = own < 0 ? undefined : operand.shape[own];
        if (extent === undefined) return undefined;
        return extent === 1 ? { start: 0, end: 1 } : out;
      }),
      recipe: [],
    }),
    apply: (_, given) => {
      let index = 0;
      const parts = new Map(operands.map((operand) => [operand, present(given, index++)]));
      if (node.op === "Add") return simplifiedSum(parts, node.inputs);
      if (node.op === "Mul") return simplifiedProduct(parts, node.inputs);
      return withOperands(node, (operand) => parts.get(operand) ?? operand);
    },
  };
}

function simplifiedSum(parts: ReadonlyMap<Node, Node>, [first, second]: readonly [Node, Node]): Node {
  const [a, b] = [parts.get(first) ?? first, parts.get(second) ?? second];
  if (isZeros(a) && covers(b, a)) return b;
  return isZeros(b) && covers(a, b) ? a : add(a, b);
}

function simplifiedProduct(parts: ReadonlyMap<Node, Node>, [first, second]: readonly [Node, Node]): Node {
  const [a, b] = [parts.get(first) ?? first, parts.get(second) ?? second];
  if (isZeros(a) && covers(a, b)) return a;
  return isZeros(b) && covers(b, a) ? b : mul(a, b);
}

/** Whether `a` has the shape that both broadcast to. */
function covers(a: Node, b: Node): boolean {
  return sameShape(a.shape, b.shape) || b.shape.every((extent) => extent === 1);
}

/** A value that is all zeros without having to be computed: what lies in a border that a tile does not have. */
export function zeros(shape: readonly number[], type: ElementType): Node {
  return expand(scalarConstant(0, { type }), shape);
}

function isZeros(node: Node): boolean {
  if (node.op !== "Expand") return false;
  const [value] = node.inputs;
  return value.op === "Constant" && value.shape.length === 0 && Number(value.attributes.tensor.data[0]) === 0;
}

/** The layout that operands which are images agree on, or the usual one for a value that is made, not read. */
function commonLayout(node: Node, operands: readonly Node[], layoutOf: LayoutOf): Layout | undefined | "mixed" {
  const layouts = operands
    .map((operand) => {
      const layout = layoutOf(operand);
      const offset = node.shape.length - operand.shape.length;
      return layout === undefined ? undefined : ([layout[0] + offset, layout[1] + offset] as const);
    })
    .filter((layout) => layout !== undefined);
  const [first, ...others] = layouts;
  if (first === undefined) return undefined;
  return others.every(([y, x]) => y === first[0] && x === first[1]) ? first : "mixed";
}

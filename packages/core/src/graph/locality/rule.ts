import type { Interval } from "../../geometry/interval.ts";
import type { Node, NodeOf } from "../node.ts";
import type { OperatorName } from "../vocabulary.ts";

/** The [vertical, horizontal] axes of a value that are image axes. */
export type Layout = readonly [number, number];

/** Index into a Layout: 0 is vertical, 1 horizontal. */
export type SpatialAxis = 0 | 1;

/** What one spatial axis of a node asks for when it computes only `out`, a part of its extent. */
export interface Along {
  /**
   * For each operand the positions that are needed, clipped to its true extent; `undefined` for an operand that is
   * taken as it is (weights, vectors). An empty interval: this operand is not needed at all.
   */
  readonly needs: readonly (Interval | undefined)[];
  /** What `apply` must know about this axis; the same numbers for parts that differ by a translation only. */
  readonly recipe: readonly number[];
}

/**
 * How a node that depends on a window around each position computes a part of its value: an operator of its own kind
 * on parts of its operands, padded only where the needed window crosses the true border.
 */
export interface Local {
  readonly layout: Layout;
  along(axis: SpatialAxis, out: Interval): Along;
  /** The operands cut to what `along` asked for; `undefined` where that was empty. */
  apply(
    recipes: readonly [vertical: readonly number[], horizontal: readonly number[]],
    operands: readonly (Node | undefined)[],
  ): Node;
}

/** A value without image axes: computed whole, the same for every tile. */
export interface Global {
  readonly layout: undefined;
}

export interface NonLocal {
  /** Why no window is enough, for people. */
  readonly reason: string;
}

export type Locality = Local | Global | NonLocal;

export type LayoutOf = (node: Node) => Layout | undefined;

/** `layoutOf` answers for the node's operands, which were looked at before. */
export type LocalityRule<O extends OperatorName> = (node: NodeOf<O>, layoutOf: LayoutOf) => Locality;

export const global: Global = { layout: undefined };

/** The extent of a spatial value along one of its image axes. */
export function extentAlong(node: Node, layout: Layout, axis: SpatialAxis): number {
  return node.shape[layout[axis]] ?? 1;
}

/** Positions that lie in the axis. */
export function clipTo(extent: number, interval: Interval): Interval {
  const start = Math.min(extent, Math.max(0, interval.start));
  return { start, end: Math.max(start, Math.min(extent, interval.end)) };
}

/** The part of a recipe at an index. */
export function numberAt(recipe: readonly number[], index: number): number {
  const value = recipe[index];
  if (value === undefined) throw new RangeError(`A recipe has ${recipe.length} numbers, not ${index + 1}.`);
  return value;
}

export function present(operands: readonly (Node | undefined)[], index: number): Node {
  const operand = operands[index];
  if (operand === undefined) throw new RangeError(`Operand ${index} was not computed.`);
  return operand;
}

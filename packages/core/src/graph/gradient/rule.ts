import type { Node, NodeOf } from "../node.ts";
import type { OperatorName } from "../vocabulary.ts";

/** One step backwards: what a node's gradient means for one of its operands. */
export interface GradientRequest<O extends OperatorName> {
  readonly node: NodeOf<O>;
  /** dy/dnode, of the node's rank and type; an extent of 1 stands for the same value at every position of that axis. */
  readonly gradient: Node;
  /** Which operand the gradient is wanted for, from 0. Others are not built. */
  readonly operand: number;
}

/**
 * dy/doperand, of the operand's rank and type, where axes on which it is constant may be left at extent 1; `undefined`
 * where the operator is constant or piecewise constant in that operand.
 */
export type GradientRule<O extends OperatorName> = (request: GradientRequest<O>) => Node | undefined;

/** A rule for an operator whose operands each have a rule of their own, in their order. */
export function byOperand<O extends OperatorName>(...rules: readonly GradientRule<O>[]): GradientRule<O> {
  return (request) => rules[request.operand]?.(request);
}

/** For operators that have no operand or whose value does not change with it but in steps. */
export function none(): undefined {
  return undefined;
}

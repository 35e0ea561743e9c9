import type { Node, NodeOf } from "../node.ts";
import type { OperatorName } from "../vocabulary.ts";

/** An operand's elements in row-major order; its shape is the node's. */
export type ValueOf = (operand: Node) => Float64Array;

/** A node's elements, from those of its operands, in real-number arithmetic; integers are settled afterwards. */
export type ReferenceRule<O extends OperatorName> = (node: NodeOf<O>, valueOf: ValueOf) => Float64Array;

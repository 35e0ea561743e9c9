import { shapeRules } from "./shape.ts";
import type { ElementType, Shape } from "./tensor.ts";
import type { Attributes, Inputs, OperatorName } from "./vocabulary.ts";

/** An immutable value of the graph: an operator, what it is applied to, and the shape and type that follow. */
export interface NodeOf<O extends OperatorName> {
  readonly op: O;
  /** The name that the model's author gave this value, or "" for one that Slidelight made. */
  readonly name: string;
  readonly inputs: Inputs<O>;
  readonly attributes: Attributes<O>;
  readonly shape: Shape;
  readonly type: ElementType;
}

export type Node = { readonly [O in OperatorName]: NodeOf<O> }[OperatorName];

/** What a node is made of: everything but the shape and type, which follow. */
export interface NodeParts<O extends OperatorName> {
  readonly op: O;
  readonly inputs: Inputs<O>;
  readonly attributes: Attributes<O>;
  readonly name?: string;
}

/**
 * Makes a node, with its shape inferred.
 * @throws {SlidelightError} `model-shape` when operands do not fit, naming the node, what was expected and got.
 */
export function createNode<O extends OperatorName>(parts: NodeParts<O>): NodeOf<O> {
  const { op, inputs, attributes, name = "" } = parts;
  const { shape, type } = shapeRules[op]({ op, inputs, attributes, name });
  return Object.freeze({ op, name, inputs, attributes, shape, type });
}

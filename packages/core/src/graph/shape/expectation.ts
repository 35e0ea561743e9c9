import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Node, NodeParts } from "../node.ts";
import type { ElementType, Shape } from "../tensor.ts";
import type { OperatorName } from "../vocabulary.ts";

/** A node about to be made. */
export interface ShapeRequest<O extends OperatorName> extends NodeParts<O> {
  readonly name: string;
}

/** What follows from a node's operands and attributes. */
export interface ValueType {
  readonly shape: Shape;
  readonly type: ElementType;
}

/** Infers a node's shape and type. @throws {SlidelightError} `model-shape`. */
export type ShapeRule<O extends OperatorName> = (request: ShapeRequest<O>) => ValueType;

/** The node that a message is about. */
export interface Subject {
  readonly op: OperatorName;
  readonly name: string;
}

export function shapeText(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Operands of `node` do not fit: the error to throw. */
export function misfit(node: Subject, expected: string, got: string): SlidelightError {
  const subject = node.name === "" ? node.op : `${node.op} "${node.name}"`;
  return new SlidelightError(
    "model-shape",
    `Inferring the shape of ${subject}: expected ${expected}, got ${got}. Check the model's export and the size of the image.`,
    { detail: { op: node.op, node: node.name, expected, got } },
  );
}

export function expectThat(holds: boolean, node: Subject, expected: string, got: () => string): void {
  if (!holds) throw misfit(node, expected, got());
}

export function expectRank(node: Subject, operand: Node, rank: number, what: string): void {
  expectThat(operand.shape.length === rank, node, what, () => shapeText(operand.shape));
}

export function expectFloating(node: Subject, operand: Node): void {
  const floating = ["float32", "float64", "float16"].includes(operand.type);
  expectThat(floating, node, "a float32 or float64 operand", () => operand.type);
}

export function expectNumeric(node: Subject, operand: Node): void {
  expectThat(operand.type !== "bool", node, "an operand of numbers", () => operand.type);
}

export function expectSameType(node: Subject, operands: readonly Node[]): void {
  const same = operands.every((operand) => operand.type === operands[0]?.type);
  expectThat(same, node, "operands of one type", () => operands.map((operand) => operand.type).join(" and "));
}

/** `axis` counts from 0 and lies within `rank`. */
export function expectAxis(node: Subject, axis: number, rank: number): void {
  expectThat(
    Number.isInteger(axis) && axis >= 0 && axis < rank,
    node,
    `an axis from 0 to ${rank - 1}`,
    () => `${axis}`,
  );
}

/** Integers from `least`. */
export function expectIntegers(node: Subject, values: readonly number[], what: string, least: number): void {
  const valid = values.every((value) => Number.isSafeInteger(value) && value >= least);
  expectThat(valid, node, `${what} that are integers from ${least}`, () => shapeText(values));
}

/** One value for each axis of `operand`. */
export function expectPerAxis(node: Subject, values: readonly number[], operand: Node, what: string): void {
  const { length } = operand.shape;
  expectThat(values.length === length, node, `${length} ${what} (one for each axis)`, () => `${values.length}`);
}

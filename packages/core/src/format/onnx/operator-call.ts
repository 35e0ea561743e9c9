import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Named } from "../../graph/build.ts";
import { foldedConstant } from "../../graph/fold-constants.ts";
import type { Node } from "../../graph/node.ts";
import { referenceTensor } from "../../graph/reference.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { AttributeValue } from "./proto.ts";
import { decodeTensor } from "./tensors.ts";

/** One node of an ONNX file, with its operands already in the graph's vocabulary. */
export interface OperatorCall {
  /** The model's name in messages. */
  readonly model: string;
  readonly operator: string;
  /** The node's name, or its first output's where it has none. */
  readonly node: string;
  /** Version of the ai.onnx operator set that the model was written for. */
  readonly opset: number;
  /** `undefined` for an absent optional operand. */
  readonly inputs: readonly (Node | undefined)[];
  /** Names of the outputs that are there; "" for one that is left out. */
  readonly outputs: readonly string[];
  /** How many of the outputs somebody uses. */
  readonly used: number;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

/** Says an ONNX node in the graph's vocabulary: one value for each of its outputs. */
export type OperatorReader = (call: OperatorCall) => Node | readonly Node[];

/** The node, in messages. */
export function subjectOf(call: OperatorCall): string {
  return `Reading the model ${call.model}: ${call.operator} "${call.node}"`;
}

function detailOf(call: OperatorCall): { readonly operator: string; readonly node: string } {
  return { operator: call.operator, node: call.node };
}

/** The node uses something outside the vocabulary: the error to throw. */
export function unsupported(call: OperatorCall, got: string, supported: string): SlidelightError {
  return new SlidelightError("model-operator", `${subjectOf(call)} has ${got}; supported: ${supported}.`, {
    detail: { ...detailOf(call), got },
  });
}

/** The node breaks the rules of ONNX: the error to throw. */
export function malformed(call: OperatorCall, problem: string): SlidelightError {
  return new SlidelightError(
    "model-unreadable",
    `${subjectOf(call)} ${problem}. The file breaks the ONNX standard: export the model again.`,
    { detail: detailOf(call) },
  );
}

/** The node's operands and attributes do not fit together: the error to throw. */
export function misfit(call: OperatorCall, expected: string, got: string): SlidelightError {
  return new SlidelightError(
    "model-shape",
    `${subjectOf(call)}: expected ${expected}, got ${got}. Check the model's export and the size of the image.`,
    { detail: { ...detailOf(call), expected, got } },
  );
}

/** The name for the node's result. */
export function named(call: OperatorCall): Named {
  const [name = ""] = call.outputs;
  return name === "" ? {} : { name };
}

/** The node under the name of the call's result; `x` itself where the node would do nothing. */
export function unlessUnchanged(call: OperatorCall, x: Node, make: (options: Named) => Node): Node {
  return make({}) === x ? x : make(named(call));
}

export function optionalOperand(call: OperatorCall, index: number): Node | undefined {
  return call.inputs[index];
}

export function operand(call: OperatorCall, index: number): Node {
  const value = call.inputs[index];
  if (value === undefined) throw malformed(call, `lacks its operand ${index}`);
  return value;
}

/** Refuses outputs beyond the first: `what` they are. */
export function expectOneOutput(call: OperatorCall, what: string): void {
  if (call.used > 1) throw unsupported(call, `its output "${what}" in use`, "the first output alone");
}

/** [N, C, H, W]. */
export function imageOperand(call: OperatorCall, index = 0): Node {
  const value = operand(call, index);
  const axes = value.shape.length - 2;
  if (axes !== 2) throw unsupported(call, `${axes} spatial axes ([${value.shape.join(", ")}])`, "two ([N, C, H, W])");
  return value;
}

/** The elements of an operand that must be known when the model is read; `undefined` when the operand is absent. */
export function constantOperand(call: OperatorCall, index: number, what: string): readonly number[] | undefined {
  const value = call.inputs[index];
  if (value === undefined) return undefined;
  return [...referenceTensor(constantTensor(call, value, what)).data];
}

export function constantTensor(call: OperatorCall, value: Node, what: string): Tensor {
  const known = foldedConstant(value);
  if (known.op !== "Constant") throw unsupported(call, `${what} computed from the image's values`, "a constant");
  return known.attributes.tensor;
}

function kindMismatch(call: OperatorCall, name: string, kind: string): SlidelightError {
  return malformed(call, `has the attribute ${name} of another kind than ${kind}`);
}

export function intAttribute(call: OperatorCall, name: string): number | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined || attribute.kind === "int") return attribute?.value;
  throw kindMismatch(call, name, "int");
}

export function floatAttribute(call: OperatorCall, name: string): number | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined || attribute.kind === "float") return attribute?.value;
  throw kindMismatch(call, name, "float");
}

export function stringAttribute(call: OperatorCall, name: string): string | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined || attribute.kind === "string") return attribute?.value;
  throw kindMismatch(call, name, "string");
}

export function intsAttribute(call: OperatorCall, name: string): readonly number[] | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined || attribute.kind === "ints") return attribute?.value;
  throw kindMismatch(call, name, "ints");
}

export function floatsAttribute(call: OperatorCall, name: string): readonly number[] | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined || attribute.kind === "floats") return attribute?.value;
  throw kindMismatch(call, name, "floats");
}

export function tensorAttribute(call: OperatorCall, name: string): Tensor | undefined {
  const attribute = call.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.kind !== "tensor") throw kindMismatch(call, name, "tensor");
  return decodeTensor(attribute.value, `${subjectOf(call)}: its attribute ${name}`);
}

/** One of a closed set of words. */
export function wordAttribute<W extends string>(
  call: OperatorCall,
  name: string,
  words: readonly [W, ...W[]],
  absent: W,
): W {
  const value = stringAttribute(call, name);
  if (value === undefined) return absent;
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) throw unsupported(call, `${name} = "${value}"`, words.map((w) => `"${w}"`).join(", "));
  return word;
}

/** An axis from 0; ONNX counts negative ones from the end. */
export function axisOf(call: OperatorCall, axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(counted) || counted < 0 || counted >= rank) {
    throw misfit(call, `an axis from ${-rank} to ${rank - 1}`, String(axis));
  }
  return counted;
}

/** Axes that are an attribute or, since some version, an operand. */
export function axesOf(call: OperatorCall, operandIndex: number, rank: number): readonly number[] | undefined {
  const axes = intsAttribute(call, "axes") ?? constantOperand(call, operandIndex, "axes");
  return axes?.map((axis) => axisOf(call, axis, rank));
}

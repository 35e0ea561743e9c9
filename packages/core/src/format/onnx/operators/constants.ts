import { constant, expand, reshape } from "../../../graph/build.ts";
import { broadcastShapes, sameShape } from "../../../graph/extents.ts";
import type { Node } from "../../../graph/node.ts";
import { float32, tensorOf } from "../../../graph/tensor.ts";
import type { Tensor } from "../../../graph/tensor.ts";
import { expectNumbers } from "../finite-weights.ts";
import {
  constantOperand,
  constantTensor,
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  malformed,
  misfit,
  named,
  operand,
  subjectOf,
  tensorAttribute,
  unsupported,
} from "../operator-call.ts";
import type { OperatorReader } from "../operator-call.ts";

/**
 * Operators whose result is known when the model is read: a model's arithmetic with sizes, which are known because a
 * graph is made for one size.
 */

function integers(values: readonly number[]): Tensor {
  return tensorOf("int64", [values.length], values);
}

const constantValue: OperatorReader = (call) => {
  const int = intAttribute(call, "value_int");
  const ints = intsAttribute(call, "value_ints");
  const float = floatAttribute(call, "value_float");
  const floats = floatsAttribute(call, "value_floats");
  const tensor =
    tensorAttribute(call, "value") ??
    (int === undefined ? undefined : tensorOf("int64", [], [int])) ??
    (ints === undefined ? undefined : integers(ints)) ??
    (float === undefined ? undefined : float32([], [float])) ??
    (floats === undefined ? undefined : float32([floats.length], floats));
  if (tensor === undefined) throw unsupported(call, [...call.attributes.keys()].join(", "), "numbers");
  expectNumbers(tensor, `${subjectOf(call)}: its value`);
  return constant(tensor, named(call));
};

const shapeOf: OperatorReader = (call) => {
  const { shape } = operand(call, 0);
  const part = shape.slice(intAttribute(call, "start") ?? 0, intAttribute(call, "end"));
  return constant(integers(part), named(call));
};

const sizeOfOperand: OperatorReader = (call) => {
  const size = operand(call, 0).shape.reduce((product, extent) => product * extent, 1);
  return constant(tensorOf("int64", [], [size]), named(call));
};

const filled: OperatorReader = (call) => {
  const shape = constantOperand(call, 0, "shape") ?? [];
  const value = constant(tensorAttribute(call, "value") ?? float32([1], [0]));
  const single = reshape(
    value,
    shape.map(() => 1),
  );
  return sameShape(single.shape, shape) ? reshape(value, shape, named(call)) : expand(single, shape, named(call));
};

const range: OperatorReader = (call) => {
  const [start] = constantOperand(call, 0, "start") ?? [];
  const [limit] = constantOperand(call, 1, "limit") ?? [];
  const [delta] = constantOperand(call, 2, "delta") ?? [];
  if (start === undefined || limit === undefined || delta === undefined) throw malformed(call, "lacks an operand");
  if (delta === 0) throw misfit(call, "a delta other than 0", "0");
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  const values = Array.from({ length }, (_, index) => start + index * delta);
  return constant(tensorOf(operand(call, 0).type, [length], values), named(call));
};

/** Of a condition known when the model is read: one of the two, or both mixed where they are known as well. */
const selection: OperatorReader = (call) => {
  const condition = constantOperand(call, 0, "condition") ?? [];
  const [a, b] = [operand(call, 1), operand(call, 2)];
  const shape = broadcastShapes(operand(call, 0).shape, a.shape, b.shape);
  if (shape === undefined) throw misfit(call, "operands that broadcast", "others");
  const [first = 0] = condition;
  if (condition.every((value) => value === first)) return expand(first === 0 ? b : a, shape, named(call));
  const spread = (value: Node): readonly number[] => {
    const { data } = constantTensor(call, expand(value, shape), "operand");
    return Array.from(data, Number);
  };
  const [chosen, otherwise] = [spread(a), spread(b)];
  const values = spread(operand(call, 0)).map((value, index) => (value === 0 ? otherwise[index] : chosen[index]) ?? 0);
  return constant(tensorOf(a.type, shape, values), named(call));
};

export const constantOperators: Readonly<Record<string, OperatorReader>> = {
  Constant: constantValue,
  Shape: shapeOf,
  Size: sizeOfOperand,
  ConstantOfShape: filled,
  Range: range,
  Where: selection,
};

import { broadcastShapes } from "../extents.ts";
import type { Node } from "../node.ts";
import type { ElementType } from "../tensor.ts";
import { expectFloating, expectNumeric, expectSameType, expectThat, misfit, shapeText } from "./expectation.ts";
import type { ShapeRequest, Subject, ValueType } from "./expectation.ts";

interface UnaryRequest extends Subject {
  readonly inputs: readonly [Node];
}
interface BinaryRequest extends Subject {
  readonly inputs: readonly [Node, Node];
}

/** A function of each element, defined for all numbers. */
export function numericUnary(request: UnaryRequest): ValueType {
  const [x] = request.inputs;
  expectNumeric(request, x);
  return { shape: x.shape, type: x.type };
}

/** A function of each element, defined for floating-point numbers. */
export function floatingUnary(request: UnaryRequest): ValueType {
  const [x] = request.inputs;
  expectFloating(request, x);
  return { shape: x.shape, type: x.type };
}

export function clip(request: ShapeRequest<"Clip">): ValueType {
  const { min, max } = request.attributes;
  expectThat(min <= max, request, "min <= max", () => `min ${min}, max ${max}`);
  return numericUnary(request);
}

export function cast(request: ShapeRequest<"Cast">): ValueType {
  return { shape: request.inputs[0].shape, type: request.attributes.to };
}

function broadcast(request: BinaryRequest, type: ElementType): ValueType {
  const [a, b] = request.inputs;
  const shape = broadcastShapes(a.shape, b.shape);
  if (shape === undefined) {
    throw misfit(request, "shapes that broadcast", `${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  }
  return { shape, type };
}

export function arithmetic(request: BinaryRequest): ValueType {
  const [a, b] = request.inputs;
  expectSameType(request, [a, b]);
  expectNumeric(request, a);
  return broadcast(request, a.type);
}

/** The exponent may be of another type than the base, whose type the result has. */
export function power(request: BinaryRequest): ValueType {
  const [a, b] = request.inputs;
  expectNumeric(request, a);
  expectNumeric(request, b);
  return broadcast(request, a.type);
}

export function comparison(request: BinaryRequest): ValueType {
  expectSameType(request, request.inputs);
  return broadcast(request, "float32");
}

import { broadcastShapes } from "../extents.ts";
import type { Node } from "../node.ts";
import type { ReductionAttributes } from "../vocabulary.ts";
import {
  expectAxis,
  expectFloating,
  expectNumeric,
  expectSameType,
  expectThat,
  misfit,
  shapeText,
} from "./expectation.ts";
import type { ShapeRequest, Subject, ValueType } from "./expectation.ts";

interface ReductionRequest extends Subject {
  readonly inputs: readonly [Node];
  readonly attributes: ReductionAttributes;
}

export function reduction(request: ReductionRequest): ValueType {
  const [x] = request.inputs;
  const { axes } = request.attributes;
  expectNumeric(request, x);
  for (const axis of axes) expectAxis(request, axis, x.shape.length);
  const ascending = axes.every((axis, index) => index === 0 || axis > (axes[index - 1] ?? axis));
  expectThat(ascending, request, "axes in ascending order, each once", () => shapeText(axes));
  return { shape: x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)), type: x.type };
}

/** A maximum or a minimum: there is none of nothing. */
export function selection(request: ReductionRequest): ValueType {
  const [x] = request.inputs;
  const result = reduction(request);
  const some = request.attributes.axes.every((axis) => x.shape[axis] !== 0);
  expectThat(some, request, "at least one value to choose from", () => shapeText(x.shape));
  return result;
}

export function floatingReduction(request: ReductionRequest): ValueType {
  expectFloating(request, request.inputs[0]);
  return reduction(request);
}

export function argMax(request: ShapeRequest<"ArgMax">): ValueType {
  const [x] = request.inputs;
  const { axis } = request.attributes;
  expectNumeric(request, x);
  expectAxis(request, axis, x.shape.length);
  expectThat(x.shape[axis] !== 0, request, "at least one value to choose from", () => shapeText(x.shape));
  return { shape: x.shape.with(axis, 1), type: "int64" };
}

export function softmax(request: ShapeRequest<"Softmax">): ValueType {
  const [x] = request.inputs;
  expectFloating(request, x);
  expectAxis(request, request.attributes.axis, x.shape.length);
  return { shape: x.shape, type: x.type };
}

export function matMul(request: ShapeRequest<"MatMul">): ValueType {
  const [a, b] = request.inputs;
  expectSameType(request, request.inputs);
  expectNumeric(request, a);
  const rows = a.shape.at(-2);
  const columns = b.shape.at(-1);
  const got = `${shapeText(a.shape)} and ${shapeText(b.shape)}`;
  if (rows === undefined || columns === undefined || b.shape.length < 2)
    throw misfit(request, "matrices (rank >= 2)", got);
  expectThat(a.shape.at(-1) === b.shape.at(-2), request, "[.., m, k] and [.., k, n]", () => got);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (batch === undefined) throw misfit(request, "batch axes that broadcast", got);
  return { shape: [...batch, rows, columns], type: a.type };
}

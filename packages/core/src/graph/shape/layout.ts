import { broadcastShapes, sameShape } from "../extents.ts";
import { sizeOf } from "../tensor.ts";
import {
  expectAxis,
  expectIntegers,
  expectPerAxis,
  expectSameType,
  expectThat,
  misfit,
  shapeText,
} from "./expectation.ts";
import type { ShapeRequest, ValueType } from "./expectation.ts";

export function input(request: ShapeRequest<"Input">): ValueType {
  const { type, shape, spatial } = request.attributes;
  expectIntegers(request, shape, "extents", 0);
  for (const axis of spatial ?? []) expectAxis(request, axis, shape.length);
  return { shape, type };
}

export function constant(request: ShapeRequest<"Constant">): ValueType {
  const { shape, type, data } = request.attributes.tensor;
  expectIntegers(request, shape, "extents", 0);
  const size = sizeOf(shape);
  expectThat(data.length === size, request, `${size} values for ${shapeText(shape)}`, () => `${data.length}`);
  return { shape, type };
}

export function coordinate(request: ShapeRequest<"Coordinate">): ValueType {
  const { axis, rank, size } = request.attributes;
  expectIntegers(request, [rank, size], "rank and size", 1);
  expectAxis(request, axis, rank);
  return { shape: Array.from({ length: rank }, (_, index) => (index === axis ? size : 1)), type: "float32" };
}

export function pad(request: ShapeRequest<"Pad">): ValueType {
  const [x] = request.inputs;
  const { mode, before, after } = request.attributes;
  expectPerAxis(request, before, x, "amounts before");
  expectPerAxis(request, after, x, "amounts after");
  expectIntegers(request, [...before, ...after], "amounts", 0);
  const shape = x.shape.map((extent, axis) => {
    const amounts = [before[axis] ?? 0, after[axis] ?? 0] as const;
    const most = Math.max(...amounts);
    // Reflection does not repeat the border, so it has one value fewer to give than the axis is long.
    const limit =
      mode === "constant" ? Infinity : mode === "edge" ? (extent > 0 ? Infinity : 0) : Math.max(0, extent - 1);
    expectThat(most <= limit, request, `at most ${limit} values of ${mode} padding on axis ${axis}`, () => `${most}`);
    return amounts[0] + extent + amounts[1];
  });
  return { shape, type: x.type };
}

export function slice(request: ShapeRequest<"Slice">): ValueType {
  const [x] = request.inputs;
  const { starts, sizes, steps } = request.attributes;
  expectPerAxis(request, starts, x, "starts");
  expectPerAxis(request, sizes, x, "sizes");
  expectPerAxis(request, steps, x, "steps");
  expectIntegers(request, sizes, "sizes", 0);
  for (const [axis, extent] of x.shape.entries()) {
    const [start = 0, size = 0, step = 1] = [starts[axis], sizes[axis], steps[axis]];
    const stepped = Number.isSafeInteger(start) && Number.isSafeInteger(step) && step !== 0;
    expectThat(stepped, request, `an integer start and step on axis ${axis}`, () => `start ${start}, step ${step}`);
    const last = start + (size - 1) * step;
    const within = size === 0 || (Math.min(start, last) >= 0 && Math.max(start, last) < extent);
    expectThat(within, request, `positions from 0 to ${extent - 1} on axis ${axis}`, () => `${start} to ${last}`);
  }
  return { shape: sizes, type: x.type };
}

export function concat(request: ShapeRequest<"Concat">): ValueType {
  const { inputs, attributes } = request;
  const [first, ...others] = inputs;
  if (first === undefined) throw misfit(request, "at least one operand", "none");
  expectSameType(request, inputs);
  expectAxis(request, attributes.axis, first.shape.length);
  const elsewhere = (shape: readonly number[]): readonly number[] => shape.with(attributes.axis, 0);
  let extent = first.shape[attributes.axis] ?? 0;
  for (const other of others) {
    const fits = other.shape.length === first.shape.length && sameShape(elsewhere(other.shape), elsewhere(first.shape));
    const expected = `operands that differ from ${shapeText(first.shape)} only on axis ${attributes.axis}`;
    expectThat(fits, request, expected, () => shapeText(other.shape));
    extent += other.shape[attributes.axis] ?? 0;
  }
  return { shape: first.shape.with(attributes.axis, extent), type: first.type };
}

export function reshape(request: ShapeRequest<"Reshape">): ValueType {
  const [x] = request.inputs;
  const { shape } = request.attributes;
  expectIntegers(request, shape, "extents", 0);
  const expected = `${sizeOf(shape)} values for ${shapeText(shape)}`;
  expectThat(sizeOf(shape) === sizeOf(x.shape), request, expected, () => `${sizeOf(x.shape)} (${shapeText(x.shape)})`);
  return { shape, type: x.type };
}

export function transpose(request: ShapeRequest<"Transpose">): ValueType {
  const [x] = request.inputs;
  const { permutation } = request.attributes;
  expectPerAxis(request, permutation, x, "axes");
  const complete = x.shape.every((_, axis) => permutation.includes(axis));
  expectThat(complete, request, `each axis from 0 to ${x.shape.length - 1} once`, () => shapeText(permutation));
  return { shape: permutation.map((axis) => x.shape[axis] ?? 0), type: x.type };
}

export function expand(request: ShapeRequest<"Expand">): ValueType {
  const [x] = request.inputs;
  const { shape } = request.attributes;
  expectIntegers(request, shape, "extents", 0);
  const broadcast = broadcastShapes(x.shape, shape);
  const fits = broadcast !== undefined && sameShape(broadcast, shape);
  expectThat(fits, request, `an operand that broadcasts to ${shapeText(shape)}`, () => shapeText(x.shape));
  return { shape, type: x.type };
}

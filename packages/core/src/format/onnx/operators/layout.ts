import { concat, expand, pad, reshape, slice, sliceAxis, transpose } from "../../../graph/build.ts";
import type { Named } from "../../../graph/build.ts";
import { broadcastShapes } from "../../../graph/extents.ts";
import type { Node } from "../../../graph/node.ts";
import { sizeOf } from "../../../graph/tensor.ts";
import {
  axesOf,
  axisOf,
  constantOperand,
  floatAttribute,
  intAttribute,
  intsAttribute,
  malformed,
  misfit,
  named,
  operand,
  unlessUnchanged,
  unsupported,
  wordAttribute,
} from "../operator-call.ts";
import type { OperatorCall, OperatorReader } from "../operator-call.ts";

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** A value that the standard demands as an attribute or, since some version, as an operand. */
function required<T>(call: OperatorCall, value: T | undefined, what: string): T {
  if (value === undefined) throw malformed(call, `lacks its ${what}`);
  return value;
}

const concatenation: OperatorReader = (call) => {
  const operands = call.inputs.map((_, index) => operand(call, index));
  const rank = operands[0]?.shape.length ?? 0;
  const axis = axisOf(call, required(call, intAttribute(call, "axis"), "attribute axis"), rank);
  // An empty list, as exporters write it for "no further sizes", may be of any other extents.
  const [first] = operands;
  const filled = operands.filter((value) => sizeOf(value.shape) > 0 || value.shape.length !== 1);
  const parts = filled.length === 0 && first !== undefined ? [first] : filled;
  return concat(parts, axis, parts.length === 1 ? {} : named(call));
};

/** Sizes of the parts: as given, or equal ones, the last of which may be smaller. */
function partSizes(call: OperatorCall, extent: number): readonly number[] {
  const given = intsAttribute(call, "split") ?? constantOperand(call, 1, "split");
  if (given !== undefined) return given;
  const parts = intAttribute(call, "num_outputs") ?? call.outputs.length;
  const size = Math.ceil(extent / parts);
  return Array.from({ length: parts }, (_, index) => Math.max(0, Math.min(size, extent - index * size)));
}

const splitting: OperatorReader = (call) => {
  const x = operand(call, 0);
  const axis = axisOf(call, intAttribute(call, "axis") ?? 0, x.shape.length);
  const extent = x.shape[axis] ?? 0;
  const sizes = partSizes(call, extent);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== extent) throw misfit(call, `parts of ${extent} in all (axis ${axis})`, shapeText(sizes));
  let start = 0;
  return sizes.map((size, index) => {
    const name = call.outputs[index] ?? "";
    const part = sliceAxis(x, { axis, start, size, ...(name === "" ? {} : { name }) });
    start += size;
    return part;
  });
};

/** Where a slice along one axis begins, how many values it takes and how far apart. */
function sliceRange(extent: number, range: { readonly start: number; readonly end: number; readonly step: number }) {
  const { step } = range;
  const fromFront = (position: number): number => (position < 0 ? position + extent : position);
  const within = (position: number, low: number, high: number): number => Math.min(Math.max(position, low), high);
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  const start = within(fromFront(range.start), step > 0 ? 0 : 0, high);
  const end = within(fromFront(range.end), low, high);
  return { start: Math.min(start, Math.max(0, extent - 1)), size: Math.max(0, Math.ceil((end - start) / step)), step };
}

const slicing: OperatorReader = (call) => {
  const x = operand(call, 0);
  const rank = x.shape.length;
  const starts = required(call, intsAttribute(call, "starts") ?? constantOperand(call, 1, "starts"), "starts");
  const ends = required(call, intsAttribute(call, "ends") ?? constantOperand(call, 2, "ends"), "ends");
  const axes = axesOf(call, 3, rank) ?? [...starts.keys()].map((axis) => axisOf(call, axis, rank));
  const steps = constantOperand(call, 4, "steps") ?? starts.map(() => 1);
  const ranges = x.shape.map((extent, axis) => {
    const index = axes.indexOf(axis);
    const [start, end, step] = [starts[index], ends[index], steps[index]];
    if (start === undefined || end === undefined || step === undefined) return { start: 0, size: extent, step: 1 };
    if (step === 0) throw malformed(call, "has a step of 0");
    return sliceRange(extent, { start, end, step });
  });
  return unlessUnchanged(call, x, (options) =>
    slice(x, {
      starts: ranges.map((range) => range.start),
      sizes: ranges.map((range) => range.size),
      steps: ranges.map((range) => range.step),
      ...options,
    }),
  );
};

/** Values at fixed positions: one (whose axis goes away) or evenly spaced ones. */
const gathering: OperatorReader = (call) => {
  const x = operand(call, 0);
  const indices = operand(call, 1);
  const axis = axisOf(call, intAttribute(call, "axis") ?? 0, x.shape.length);
  const extent = x.shape[axis] ?? 0;
  const given = required(call, constantOperand(call, 1, "indices"), "operand indices");
  const positions = given.map((position) => (position < 0 ? position + extent : position));
  if (positions.some((position) => position < 0 || position >= extent)) {
    throw misfit(call, `indices from ${-extent} to ${extent - 1}`, shapeText(given));
  }
  const [start = 0, second = start + 1] = positions;
  const step = second - start;
  const even = step !== 0 && positions.every((position, index) => position === start + index * step);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  const gather = (options: Named): Node =>
    even
      ? sliceAxis(x, { axis, start, size: positions.length, step, ...options })
      : concat(
          positions.map((position) => sliceAxis(x, { axis, start: position, size: 1 })),
          axis,
          options,
        );
  if (indices.shape.length === 1) return unlessUnchanged(call, x, gather);
  return reshape(gather({}), shape, named(call));
};

/** Amounts before and after, for each axis. */
function padAmounts(call: OperatorCall, rank: number): readonly [readonly number[], readonly number[]] {
  const given = intsAttribute(call, "pads") ?? intsAttribute(call, "paddings") ?? constantOperand(call, 1, "pads");
  const amounts = required(call, given, "pads");
  const axes = axesOf(call, 3, rank) ?? [...Array(rank).keys()];
  if (amounts.length !== 2 * axes.length) throw misfit(call, `${2 * axes.length} pads`, shapeText(amounts));
  const spread = (offset: number): readonly number[] =>
    Array.from({ length: rank }, (_, axis) => {
      const index = axes.indexOf(axis);
      return index < 0 ? 0 : (amounts[offset + index] ?? 0);
    });
  return [spread(0), spread(axes.length)];
}

const padding: OperatorReader = (call) => {
  const x = operand(call, 0);
  const mode = wordAttribute(call, "mode", ["constant", "edge", "reflect"], "constant");
  const value = constantOperand(call, 2, "constant_value")?.[0] ?? floatAttribute(call, "value") ?? 0;
  const [before, after] = padAmounts(call, x.shape.length);
  const cut = (amount: number): number => Math.max(0, -amount);
  const grow = (amount: number): number => Math.max(0, amount);
  const negative = [...before, ...after].some((amount) => amount < 0);
  if (negative && mode !== "constant" && [...before, ...after].some((amount) => amount > 0)) {
    throw unsupported(call, `mode = "${mode}" with negative and positive pads`, "pads of one sign");
  }
  const starts = before.map(cut);
  const sizes = x.shape.map((extent, axis) => Math.max(0, extent - cut(before[axis] ?? 0) - cut(after[axis] ?? 0)));
  return unlessUnchanged(call, x, (options) => {
    const growing = [...before, ...after].some((amount) => amount > 0);
    const kept = slice(x, { starts, sizes, ...(growing || !negative ? {} : options) });
    if (!growing && negative) return kept;
    return pad(kept, { mode, value, before: before.map(grow), after: after.map(grow), ...options });
  });
};

const reshaping: OperatorReader = (call) => {
  const x = operand(call, 0);
  const given = required(call, intsAttribute(call, "shape") ?? constantOperand(call, 1, "shape"), "shape");
  const keepsZero = (intAttribute(call, "allowzero") ?? 0) !== 0;
  const copied = given.map((extent, axis) => (extent === 0 && !keepsZero ? (x.shape[axis] ?? 0) : extent));
  const open = copied.filter((extent) => extent === -1).length;
  const known = copied.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  const rest = sizeOf(x.shape) / known;
  if (open > 1 || (open === 1 && !Number.isInteger(rest))) {
    throw misfit(call, `a shape for the ${sizeOf(x.shape)} values of ${shapeText(x.shape)}`, shapeText(given));
  }
  const shape = copied.map((extent) => (extent === -1 ? rest : extent));
  return unlessUnchanged(call, x, (options) => reshape(x, shape, options));
};

const flattening: OperatorReader = (call) => {
  const x = operand(call, 0);
  const given = intAttribute(call, "axis") ?? 1;
  const axis = given < 0 ? given + x.shape.length : given;
  const shape = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))];
  return unlessUnchanged(call, x, (options) => reshape(x, shape, options));
};

const squeezing: OperatorReader = (call) => {
  const x = operand(call, 0);
  const axes = axesOf(call, 1, x.shape.length) ?? [...x.shape.keys()].filter((axis) => x.shape[axis] === 1);
  const wide = axes.find((axis) => x.shape[axis] !== 1);
  if (wide !== undefined) throw misfit(call, `an extent of 1 on axis ${wide}`, shapeText(x.shape));
  const shape = x.shape.filter((_, axis) => !axes.includes(axis));
  return unlessUnchanged(call, x, (options) => reshape(x, shape, options));
};

const unsqueezing: OperatorReader = (call) => {
  const x = operand(call, 0);
  const count = (intsAttribute(call, "axes") ?? constantOperand(call, 1, "axes") ?? []).length;
  const axes = required(call, axesOf(call, 1, x.shape.length + count), "axes");
  const rest = [...x.shape];
  const shape = Array.from({ length: x.shape.length + count }, (_, axis) =>
    axes.includes(axis) ? 1 : (rest.shift() ?? 1),
  );
  return unlessUnchanged(call, x, (options) => reshape(x, shape, options));
};

const transposing: OperatorReader = (call) => {
  const x = operand(call, 0);
  const permutation = intsAttribute(call, "perm") ?? [...x.shape.keys()].toReversed();
  return unlessUnchanged(call, x, (options) => transpose(x, permutation, options));
};

const expanding: OperatorReader = (call) => {
  const x = operand(call, 0);
  const given = required(call, constantOperand(call, 1, "shape"), "operand shape");
  const shape = broadcastShapes(x.shape, given);
  if (shape === undefined) throw misfit(call, `a shape that ${shapeText(x.shape)} broadcasts with`, shapeText(given));
  return unlessUnchanged(call, x, (options) => expand(x, shape, options));
};

/** The value itself: it keeps the name that it has. */
const identity: OperatorReader = (call) => operand(call, 0);

const dropout: OperatorReader = (call) => {
  if (call.used > 1) throw unsupported(call, 'its output "mask" in use', "the first output alone");
  const training = constantOperand(call, 2, "training_mode")?.[0] ?? 0;
  if (training !== 0) throw unsupported(call, "training_mode = true", "inference");
  return operand(call, 0);
};

export const layoutOperators: Readonly<Record<string, OperatorReader>> = {
  Concat: concatenation,
  Split: splitting,
  Slice: slicing,
  Gather: gathering,
  Pad: padding,
  Reshape: reshaping,
  Flatten: flattening,
  Squeeze: squeezing,
  Unsqueeze: unsqueezing,
  Transpose: transposing,
  Expand: expanding,
  Identity: identity,
  Dropout: dropout,
};

import {
  abs,
  argMax,
  log,
  mul,
  reduceLogSumExp,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceProd,
  reduceSum,
  reshape,
  scalarLike,
  sliceAxis,
  softmax,
  sqrt,
  sub,
} from "../../../graph/build.ts";
import type { Named } from "../../../graph/build.ts";
import type { Node } from "../../../graph/node.ts";
import { sizeOf } from "../../../graph/tensor.ts";
import { axesOf, axisOf, intAttribute, named, operand } from "../operator-call.ts";
import type { OperatorReader } from "../operator-call.ts";

type Reduce = (x: Node, axes: readonly number[], options?: Named) => Node;

/** What the operator does to each element before the reduction and after it. */
interface Around {
  readonly before?: (x: Node) => Node;
  readonly after?: (x: Node, options?: Named) => Node;
}

/**
 * A reduction over axes that are an attribute or, later, an operand; none given means all of them, or none where the
 * node says so.
 */
function reduction(reduce: Reduce, around: Around = {}): OperatorReader {
  return (call) => {
    const x = operand(call, 0);
    const given = axesOf(call, 1, x.shape.length) ?? [];
    const noop = (intAttribute(call, "noop_with_empty_axes") ?? 0) !== 0;
    const axes = given.length > 0 || noop ? given : [...x.shape.keys()];
    const keep = (intAttribute(call, "keepdims") ?? 1) !== 0;
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    const { before = (value) => value, after } = around;
    const drops = !keep && axes.length > 0;
    const options = drops ? {} : named(call);
    const prepared = before(x);
    if (axes.length === 0 && after === undefined) return prepared;
    const reduced = after === undefined ? reduce(prepared, axes, options) : after(reduce(prepared, axes), options);
    return drops ? reshape(reduced, shape, named(call)) : reduced;
  };
}

const square = (x: Node): Node => mul(x, x);

/** The first maximum; the last one is the first of the values in reverse. */
const indexOfMaximum: OperatorReader = (call) => {
  const x = operand(call, 0);
  const axis = axisOf(call, intAttribute(call, "axis") ?? 0, x.shape.length);
  const last = (intAttribute(call, "select_last_index") ?? 0) !== 0;
  const keep = (intAttribute(call, "keepdims") ?? 1) !== 0;
  const size = x.shape[axis] ?? 0;
  const index = (options: Named): Node => {
    if (!last) return argMax(x, axis, options);
    const reversed = argMax(sliceAxis(x, { axis, start: size - 1, size, step: -1 }), axis);
    return sub(scalarLike(reversed, size - 1), reversed, options);
  };
  return keep ? index(named(call)) : reshape(index({}), x.shape.toSpliced(axis, 1), named(call));
};

/** Since version 13 along one axis; before, over all axes from that one on, as if they were flattened. */
function softmaxLike(make: (x: Node, axis: number, options?: Named) => Node): OperatorReader {
  return (call) => {
    const x = operand(call, 0);
    const axis = axisOf(call, intAttribute(call, "axis") ?? (call.opset < 13 ? 1 : -1), x.shape.length);
    const sameMeaning = x.shape.every((extent, index) => index <= axis || extent === 1);
    if (call.opset >= 13 || sameMeaning) return make(x, axis, named(call));
    const flat = reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
    return reshape(make(flat, 1), x.shape, named(call));
  };
}

function logSoftmax(x: Node, axis: number, options: Named = {}): Node {
  return sub(x, reduceLogSumExp(x, [axis]), options);
}

export const reductionOperators: Readonly<Record<string, OperatorReader>> = {
  ReduceSum: reduction(reduceSum),
  ReduceMean: reduction(reduceMean),
  ReduceMax: reduction(reduceMax),
  ReduceMin: reduction(reduceMin),
  ReduceProd: reduction(reduceProd),
  ReduceLogSumExp: reduction(reduceLogSumExp),
  ReduceL1: reduction(reduceSum, { before: abs }),
  ReduceL2: reduction(reduceSum, { before: square, after: sqrt }),
  ReduceLogSum: reduction(reduceSum, { after: log }),
  ReduceSumSquare: reduction(reduceSum, { before: square }),
  ArgMax: indexOfMaximum,
  Softmax: softmaxLike(softmax),
  LogSoftmax: softmaxLike(logSoftmax),
};

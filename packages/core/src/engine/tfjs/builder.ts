import { sizeOf } from "../../graph/tensor.ts";
import type { Shape } from "../../graph/tensor.ts";
import type { TensorFlow, TfTensor } from "./tensorflow.ts";

/** How a value of rank 4 lies in memory: [N, C, H, W] as in the graph, or [N, H, W, C] as TensorFlow's convolutions want it. */
export type Layout = "first" | "last";

/** Where the graph's axes lie in [N, H, W, C]. */
const lastAxes = [0, 3, 1, 2] as const;
const toLast = [0, 2, 3, 1];
const toFirst = [0, 3, 1, 2];

/** A value of a program that is being made. */
export interface Value {
  readonly id: number;
  /** As in the graph, whatever the layout. */
  readonly shape: Shape;
  readonly layout: Layout;
}

/** What TensorFlow.js computes in one go; what it makes on the way is disposed of. */
export type Kernel = (...operands: TfTensor[]) => TfTensor;

/** A new tensor, also where the kernel has nothing to do. */
export function computed(tf: TensorFlow, kernel: Kernel, operands: readonly TfTensor[]): TfTensor {
  return tf.tidy(() => {
    const result = kernel(...operands);
    return operands.includes(result) ? tf.clone(result) : result;
  });
}

export interface Instruction {
  readonly kernel: Kernel;
  readonly operands: readonly number[];
  readonly result: number;
}

export interface Result {
  readonly shape: Shape;
  readonly layout: Layout;
}

/** Collects what a program does. */
export interface Builder {
  readonly instructions: readonly Instruction[];
  readonly constants: ReadonlyMap<number, TfTensor>;
  /** A value that a run is given. */
  input(shape: Shape): Value;
  /** Takes over a tensor. */
  constant(tensor: TfTensor, result: Result): Value;
  /** Computes in every run. */
  emit(kernel: Kernel, operands: readonly Value[], result: Result): Value;
  /** Computes once, now, where the operands are constants; else in every run. */
  prepare(kernel: Kernel, operands: readonly Value[], result: Result): Value;
  /** The value in a layout. One of lower rank becomes one of rank 4, for it broadcasts against others. */
  as(value: Value, layout: Layout): Value;
}

export function openBuilder(tf: TensorFlow): Builder {
  const instructions: Instruction[] = [];
  const constants = new Map<number, TfTensor>();
  /** Values in the other layout. */
  const turned = new Map<number, Value>();
  let count = 0;
  const fresh = (result: Result): Value => {
    count += 1;
    return { id: count, ...result };
  };
  const emit: Builder["emit"] = (kernel, operands, result) => {
    const value = fresh(result);
    instructions.push({ kernel, operands: operands.map(({ id }) => id), result: value.id });
    return value;
  };
  const prepare: Builder["prepare"] = (kernel, operands, result) => {
    const known = operands.map(({ id }) => constants.get(id)).filter((tensor) => tensor !== undefined);
    if (known.length < operands.length) return emit(kernel, operands, result);
    const value = fresh(result);
    constants.set(value.id, computed(tf, kernel, known));
    return value;
  };
  return {
    instructions,
    constants,
    input: (shape) => fresh({ shape, layout: "first" }),
    constant: (tensor, result) => {
      const value = fresh(result);
      constants.set(value.id, tensor);
      return value;
    },
    emit,
    prepare,
    as: (value, layout) => {
      // A single number lies the same in both.
      if (value.layout === layout || (layout === "last" && sizeOf(value.shape) === 1)) return value;
      const known = turned.get(value.id);
      if (known !== undefined) return known;
      const rank4 = [...[1, 1, 1, 1].slice(value.shape.length), ...value.shape];
      const kernel: Kernel =
        layout === "last" ? (x) => tf.transpose(tf.reshape(x, rank4), toLast) : (x) => tf.transpose(x, toFirst);
      const result = prepare(kernel, [value], { shape: rank4, layout });
      turned.set(value.id, result);
      turned.set(result.id, value);
      return result;
    },
  };
}

/** The layout in which values meet: that of the images among them. */
export function commonLayout(values: readonly Value[]): Layout {
  const rank = values.reduce((most, { shape }) => Math.max(most, shape.length), 0);
  return rank === 4 && values.some(({ layout }) => layout === "last") ? "last" : "first";
}

/** Where an axis of the graph lies in a layout. */
export function axisIn(layout: Layout, axis: number): number {
  return layout === "last" ? (lastAxes[axis] ?? axis) : axis;
}

/** What is said axis by axis, in the order of a layout's axes: a shape, pads, starts. */
export function inLayout<T>(layout: Layout, perAxis: readonly T[]): T[] {
  if (layout === "first") return [...perAxis];
  return toLast.flatMap((axis) => perAxis.slice(axis, axis + 1));
}

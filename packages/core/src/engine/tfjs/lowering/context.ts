import type { NodeOf } from "../../../graph/node.ts";
import type { Shape, Tensor } from "../../../graph/tensor.ts";
import type { OperatorName } from "../../../graph/vocabulary.ts";
import type { Builder, Kernel, Layout, Value } from "../builder.ts";
import type { TensorFlow } from "../tensorflow.ts";
import { heldTensor, toTfTensor } from "../tensors.ts";

/** The result's layout, and its shape where that is not the node's. */
export interface Shaped {
  readonly layout?: Layout;
  readonly shape?: Shape;
}

export interface LoweringContext<O extends OperatorName> {
  readonly tf: TensorFlow;
  readonly node: NodeOf<O>;
  readonly operands: readonly Value[];
  /** @throws {RangeError} when there is none: an operator's operands are there, but for a bias. */
  readonly operand: (index: number) => Value;
  /** One that may be absent. */
  readonly bias: Value | undefined;
  readonly as: Builder["as"];
  /** Computes in every run. Default: the node's shape, its axes in the graph's order. */
  readonly emit: (kernel: Kernel, operands: readonly Value[], result?: Shaped) => Value;
  /** Computes once where the operands are constants: weights as the kernels want them. */
  readonly prepare: (kernel: Kernel, operands: readonly Value[], result?: Shaped) => Value;
  readonly constant: (tensor: Tensor) => Value;
}

/** Emits the operations that an operator becomes and returns its value. */
export type Lowering<O extends OperatorName> = (context: LoweringContext<O>) => Value;

export interface ContextParts<O extends OperatorName> {
  readonly tf: TensorFlow;
  readonly builder: Builder;
  readonly node: NodeOf<O>;
  readonly operands: readonly (Value | undefined)[];
}

export function contextOf<O extends OperatorName>({
  tf,
  builder,
  node,
  operands,
}: ContextParts<O>): LoweringContext<O> {
  const settled = ({ layout = "first", shape = node.shape }: Shaped = {}) => ({ layout, shape });
  return {
    tf,
    node,
    operands: operands.filter((value) => value !== undefined),
    operand: (index) => {
      const value = operands[index];
      if (value === undefined) throw new RangeError(`${node.op} "${node.name}" has no operand ${index}.`);
      return value;
    },
    bias: operands[2],
    as: builder.as,
    emit: (kernel, values, result) => builder.emit(kernel, values, settled(result)),
    prepare: (kernel, values, result) => builder.prepare(kernel, values, settled(result)),
    constant: (tensor) =>
      builder.constant(toTfTensor(tf, heldTensor(tensor)), { shape: tensor.shape, layout: "first" }),
  };
}

import type { Node, NodeOf } from "../node.ts";
import type { Kernels } from "./kernels.ts";

/** A convolution, or a transposed one, whose weight and bias are Constants, without groups and dilations. */
export interface Plain {
  readonly x: Node;
  readonly weight: Kernels;
  readonly bias: Kernels | undefined;
}

/** What a convolution that can be put together with another one is made of; `undefined` for others. */
export function plain(node: NodeOf<"Conv"> | NodeOf<"ConvTranspose">): Plain | undefined {
  const { group, dilations } = node.attributes;
  const [x, weight, bias] = node.inputs;
  if (group !== 1 || dilations.some((dilation) => dilation !== 1) || node.type !== "float32") return undefined;
  if (weight.op !== "Constant" || (bias !== undefined && bias.op !== "Constant")) return undefined;
  return { x, weight, bias };
}

export function isDense({ attributes: { strides } }: NodeOf<"Conv">): boolean {
  return strides.every((stride) => stride === 1);
}

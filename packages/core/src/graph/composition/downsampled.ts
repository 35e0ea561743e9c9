import { conv } from "../build.ts";
import { flopsOf } from "../flops.ts";
import type { Node, NodeOf } from "../node.ts";
import type { Pair } from "../vocabulary.ts";
import { kernelProduct, spread, sumOf, throughWeight } from "./kernels.ts";
import type { Kernels } from "./kernels.ts";
import { isDense, plain } from "./plain.ts";
import type { Plain } from "./plain.ts";

/** A step that takes every `strides`-th position, by what it and the convolution before it are together. */
interface Downsampling {
  readonly strides: Pair;
  /** `flops`: of both steps. */
  readonly kernels: (before: Plain, flops: number) => Kernels | undefined;
  readonly bias: (before: Plain) => Kernels | undefined;
}

/**
 * A convolution that nothing but a strided one, or an average, reads: one with a larger kernel that computes only what stays.
 * @param own Values that one node alone reads.
 */
export function composedDownsampling(
  node: NodeOf<"Conv"> | NodeOf<"AveragePool">,
  own: ReadonlySet<Node>,
): Node | undefined {
  const [first] = node.inputs;
  if (first.op !== "Conv" || !own.has(first) || !isDense(first)) return undefined;
  const { top, left, bottom, right } = node.attributes.pads;
  // Zeros, where the first step gives values.
  if (top + left + bottom + right > 0) return undefined;
  const [before, downsampling] = [plain(first), node.op === "Conv" ? strided(node) : averaged(node)];
  if (before === undefined || downsampling === undefined) return undefined;
  const flops = flopsOf(first) + flopsOf(node);
  const kernels = downsampling.kernels(before, flops);
  if (kernels === undefined) return undefined;
  const { strides } = downsampling;
  const { pads } = first.attributes;
  const composed = conv(before.x, kernels, downsampling.bias(before), { strides, pads, name: node.name });
  return flopsOf(composed) < flops ? composed : undefined;
}

function strided(node: NodeOf<"Conv">): Downsampling | undefined {
  const after = plain(node);
  return (
    after && {
      strides: node.attributes.strides,
      kernels: ({ weight }, flops) => kernelProduct(after.weight, weight, flops),
      bias: ({ bias }) => sumOf(bias && throughWeight(after.weight, bias), after.bias),
    }
  );
}

function averaged({ attributes: { kernel, strides } }: NodeOf<"AveragePool">): Downsampling {
  return {
    strides,
    kernels: ({ weight }) => spread(weight, kernel, 1 / (kernel[0] * kernel[1])),
    bias: ({ bias }) => bias,
  };
}

import { roundUp } from "../../geometry/round-up.ts";
import { constant, pad } from "../build.ts";
import type { Node } from "../node.ts";
import { rememberedByName } from "../remembered.ts";
import { elementsOf, float32, sizeOf } from "../tensor.ts";
import type { Pair } from "../vocabulary.ts";
import { joined, kernelProduct, turned } from "./kernels.ts";
import type { Kernels } from "./kernels.ts";

interface Convolved {
  readonly x: Node;
  /** [I, O, kh, kw], of both steps together. */
  readonly kernels: Kernels;
}

/** A transposed convolution, whose kernels lie side by side, and the convolution behind it. */
interface Steps {
  readonly strides: Pair;
  /** [M]: of the first step. */
  readonly bias: Kernels;
  /** [O, M, kh, kw]: of the second step, which pads the first one's result with zeros. */
  readonly weight: Kernels;
  readonly channelMultiple: number;
}

/**
 * Two linear steps in one, of which the first adds a bias that the second one's pads have no part in: with a channel of ones, whose kernel is the bias everywhere
 * and which goes through both steps as all others do. (An affine map is a linear one of a value that has a one beside it.)
 */
export function withConstantChannel({ x, kernels }: Convolved, steps: Steps): Convolved | undefined {
  const channels = x.shape[1] ?? 0;
  const added = roundUp(channels + 1, steps.channelMultiple) - channels;
  const ofOnes = kernelProduct(everywhere(steps.bias, steps.strides, added), turned(steps.weight));
  if (ofOnes === undefined) return undefined;
  return { x: pad(x, { after: [0, added, 0, 0], value: 1 }), kernels: joined(kernels, ofOnes) };
}

const known = rememberedByName<Kernels>();

/** [added, M, height, width]: the bias in the first of the channels that are added. Goes with the bias, so that tiles of all kinds take the same. */
function everywhere({ attributes: { tensor } }: Kernels, [height, width]: Pair, added: number): Kernels {
  return known(tensor, [height, width, added].join(), () => {
    const biases = elementsOf(tensor);
    const shape = [added, biases.length, height, width];
    const values = new Float32Array(sizeOf(shape));
    for (const [channel, bias] of biases.entries()) {
      values.fill(bias, channel * height * width, (channel + 1) * height * width);
    }
    return constant(float32(shape, values));
  });
}

import { conv, convTranspose, reshape, slice, transpose } from "../build.ts";
import { spanOf, transposedExtent } from "../extents.ts";
import type { Sliding } from "../extents.ts";
import type { Node } from "../node.ts";
import type { Shape } from "../tensor.ts";
import type { ConvolutionAttributes, Pads, Pair } from "../vocabulary.ts";
import { expandAxes, expandTo, sumTo } from "./broadcast.ts";
import { weightGradient } from "./correlation.ts";
import { reversed } from "./layout.ts";
import type { GradientRequest } from "./rule.ts";
import { byOperand } from "./rule.ts";

/** Along one spatial axis: how the window slides, and that it leaves every position by itself. */
interface WindowAxis extends Sliding {
  readonly axis: 2 | 3;
  readonly pointwise: boolean;
}

function windowAxes(weight: Node, attributes: ConvolutionAttributes): readonly [WindowAxis, WindowAxis] {
  const { strides, dilations, pads } = attributes;
  const windowAxis = (axis: 2 | 3, ends: { readonly before: number; readonly after: number }): WindowAxis => {
    const along = axis === 2 ? 0 : 1;
    const kernel = weight.shape[axis] ?? 1;
    const pointwise = kernel === 1 && strides[along] === 1 && ends.before === 0 && ends.after === 0;
    return { axis, kernel, stride: strides[along], dilation: dilations[along], ...ends, pointwise };
  };
  return [
    windowAxis(2, { before: pads.top, after: pads.bottom }),
    windowAxis(3, { before: pads.left, after: pads.right }),
  ];
}

/** All channels, and all positions along the axes on which a window reaches further than one. */
function expandForWindow(gradient: Node, axes: readonly WindowAxis[], shape: Shape): Node {
  const reaching = axes.filter(({ pointwise }) => !pointwise).map(({ axis }) => axis);
  return expandAxes(gradient, [1, ...reaching], shape);
}

function padsOf(vertical: Pair, horizontal: Pair): Pads {
  return { top: vertical[0], bottom: vertical[1], left: horizontal[0], right: horizontal[1] };
}

interface Convolved {
  /** [N, O, h', w'], or unexpanded. */
  readonly gradient: Node;
  /** The convolution's own, [O, C/group, kh, kw]. */
  readonly weight: Node;
  readonly attributes: ConvolutionAttributes;
  /** [N, C, H, W]. */
  readonly inputShape: Shape;
  /** [N, O, h', w']. */
  readonly outputShape: Shape;
}

/**
 * The gradient of a convolution to its input. At stride 1 it is a convolution with the kernel reversed and its channel
 * axes swapped, which engines run faster than the general form, a transposed convolution with the same weights.
 */
export function convolutionInputGradient(convolved: Convolved): Node {
  const { weight, attributes, inputShape } = convolved;
  const axes = windowAxes(weight, attributes);
  const gradient = expandForWindow(convolved.gradient, axes, convolved.outputShape);
  const { dilations, group } = attributes;
  if (axes.every(({ stride }) => stride === 1)) {
    const [vertical, horizontal] = [reversedPads(axes[0]), reversedPads(axes[1])];
    const cropped = cropSpatial(gradient, [vertical, horizontal]);
    const pads = padsOf(clampedPads(vertical), clampedPads(horizontal));
    return conv(cropped, reversedWeight(weight, group), undefined, { dilations, pads, group });
  }
  const missing = (along: WindowAxis): number => {
    const extent = gradient.shape[along.axis] ?? 1;
    const target = along.pointwise ? extent : (inputShape[along.axis] ?? extent);
    return target - transposedExtent(extent, along, 0);
  };
  const outputPadding: Pair = [missing(axes[0]), missing(axes[1])];
  return convTranspose(gradient, weight, undefined, { ...attributes, outputPadding });
}

/** Negative where windows lay wholly in the pads: their gradient is cropped. */
function reversedPads(along: WindowAxis): Pair {
  const reach = spanOf(along) - 1;
  return [reach - along.before, reach - along.after];
}

function clampedPads([before, after]: Pair): Pair {
  return [Math.max(0, before), Math.max(0, after)];
}

function cropSpatial(x: Node, pads: readonly [Pair, Pair]): Node {
  const crops = pads.map(([before, after]) => ({ start: Math.max(0, -before), end: Math.max(0, -after) }));
  const along = (axis: number): { readonly start: number; readonly end: number } =>
    crops[axis - 2] ?? { start: 0, end: 0 };
  return slice(x, {
    starts: x.shape.map((_, axis) => along(axis).start),
    sizes: x.shape.map((extent, axis) => extent - along(axis).start - along(axis).end),
  });
}

/** [O, C/group, kh, kw] to [C, O/group, kh, kw], with the kernel reversed along both of its axes. */
function reversedWeight(weight: Node, group: number): Node {
  const [outputs = 0, perGroup = 0, ...kernel] = weight.shape;
  const swapped =
    group === 1
      ? transpose(weight, [1, 0, 2, 3])
      : reshape(transpose(reshape(weight, [group, outputs / group, perGroup, ...kernel]), [0, 2, 1, 3, 4]), [
          group * perGroup,
          outputs / group,
          ...kernel,
        ]);
  return reversed(
    swapped,
    [2, 3].filter((axis) => swapped.shape[axis] !== 1),
  );
}

/** [N, O, h, w] or unexpanded to [O]. */
function biasGradient({ node, gradient }: GradientRequest<"Conv"> | GradientRequest<"ConvTranspose">): Node {
  const channels = node.shape[1] ?? 0;
  const summed = sumTo(expandAxes(gradient, [1], node.shape), { from: node.shape, to: [1, channels, 1, 1] });
  return reshape(summed, [channels]);
}

export const convolution = byOperand<"Conv">(
  ({ node, gradient }) => {
    const [x, weight] = node.inputs;
    const { attributes } = node;
    return convolutionInputGradient({ gradient, weight, attributes, inputShape: x.shape, outputShape: node.shape });
  },
  ({ node, gradient }) => {
    const [x, weight] = node.inputs;
    return weightGradient({ fine: x, coarse: expandTo(gradient, node.shape), weight, attributes: node.attributes });
  },
  biasGradient,
);

export const transposedConvolution = byOperand<"ConvTranspose">(
  ({ node, gradient }) => {
    const [x, weight] = node.inputs;
    const axes = windowAxes(weight, node.attributes);
    const windows = conv(expandForWindow(gradient, axes, node.shape), weight, undefined, node.attributes);
    // Output padding of a whole stride or more leaves room for windows that no input position has.
    const sizes = windows.shape.map((extent, axis) => (axis < 2 ? extent : Math.min(extent, x.shape[axis] ?? extent)));
    return slice(windows, { starts: [0, 0, 0, 0], sizes });
  },
  ({ node, gradient }) => {
    const [x, weight] = node.inputs;
    return weightGradient({ fine: expandTo(gradient, node.shape), coarse: x, weight, attributes: node.attributes });
  },
  biasGradient,
);

import { concat, conv, convTranspose, matMul, pad, reduceSum, reshape, slice, transpose } from "../build.ts";
import { spanOf, transposedExtent } from "../extents.ts";
import type { Sliding } from "../extents.ts";
import type { Node } from "../node.ts";
import type { Shape } from "../tensor.ts";
import type { ConvolutionAttributes, Pads, Pair } from "../vocabulary.ts";
import { expandAxes, expandTo, sumTo } from "./broadcast.ts";
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

interface Correlated {
  /** The side that the window slides over, [N, F, H, W]: a convolution's input, a transposed convolution's output. */
  readonly fine: Node;
  /** The side with one position for each window, [N, O, h, w]. */
  readonly coarse: Node;
  /** [O, F/group, kh, kw]. */
  readonly weight: Node;
  readonly attributes: ConvolutionAttributes;
}

/** Kernels of at most so many positions are correlated position by position. */
const mostTaps = 9;

/** The gradient to the weight: how both sides correlate. */
function weightGradient(correlated: Correlated): Node {
  const { weight, attributes } = correlated;
  const [, , height = 1, width = 1] = weight.shape;
  return attributes.group === 1 && attributes.strides.every((stride) => stride === 1) && height * width <= mostTaps
    ? correlatedByTaps(correlated)
    : correlatedByConvolution(correlated);
}

/**
 * For each position of the kernel a product of matrices, [O, positions] by [positions, F], summed over `images` parts of all positions:
 * measured faster in ONNX Runtime and OpenVINO than the convolution below, whose kernels are as large as the image.
 *
 * Both sides lie on one grid, with zeros between lines and between images, so that a position of the kernel sees the fine
 * side from another start and is otherwise the same run of memory: engines whose parts share it have nothing to copy. Channels stand
 * last, where engines keep them. The coarse side is turned once: the reshaping around that keeps engines from turning it in each product.
 */
function correlatedByTaps(correlated: Correlated): Node {
  const { fine, coarse, weight, attributes } = correlated;
  const { dilations, pads } = attributes;
  const [outputs = 0, channels = 0, kernelHeight = 1, kernelWidth = 1] = weight.shape;
  const [images = 0] = coarse.shape;
  const grid = commonGrid(correlated);
  const { line, part } = grid;
  const seenFrom = (start: number, x: Node): Node => {
    const [, depth = 0] = x.shape;
    return reshape(slice(x, { starts: [start, 0], sizes: [images * part, depth] }), [images, part, depth]);
  };
  const windows = reshape(seenFrom(0, onGrid(coarse, grid, { top: 0, left: 0 })), [images, part, 1, outputs]);
  const rows = reshape(transpose(windows, [0, 2, 3, 1]), [images, outputs, part]);
  const positions = onGrid(fine, grid, pads);
  const taps = Array.from({ length: kernelHeight * kernelWidth }, (_, tap) => {
    const [row, column] = [Math.floor(tap / kernelWidth), tap % kernelWidth];
    const seen = seenFrom(row * dilations[0] * line + column * dilations[1], positions);
    return reshape(matMul(rows, seen), [1, images, outputs, channels]);
  });
  const summed = reduceSum(concat(taps, 0), [1]);
  const ordered = transpose(reshape(summed, [taps.length, outputs, channels]), [1, 2, 0]);
  return reshape(ordered, weight.shape);
}

/** How both sides of a correlation at stride 1 are laid out, in positions. */
interface CorrelationGrid {
  /** Lines of an image. */
  readonly rows: number;
  /** Positions of a line. */
  readonly line: number;
  /** Positions of each of as many equal parts as there are images; together they hold all windows. */
  readonly part: number;
}

/** The smallest grid on which a window that leaves its line or its image meets zeros, and that the last window does not leave. */
function commonGrid({ fine, coarse, weight, attributes }: Correlated): CorrelationGrid {
  const { dilations, pads } = attributes;
  const [images = 0, , height = 1, width = 1] = coarse.shape;
  const [, , fineHeight = 1, fineWidth = 1] = fine.shape;
  const [, , kernelHeight = 1, kernelWidth = 1] = weight.shape;
  const line = Math.max(width, fineWidth + Math.max(pads.left, pads.right));
  const reach = dilations[0] * (kernelHeight - 1) * line + dilations[1] * (kernelWidth - 1);
  let rows = Math.max(height, fineHeight + Math.max(pads.top, pads.bottom));
  for (;;) {
    const part = Math.ceil((((images - 1) * rows + height - 1) * line + width) / images);
    if (images * part + reach <= images * rows * line) return { rows, line, part };
    rows += 1;
  }
}

/** [N, C, H, W] as [N rows line, C], each image beginning `top` lines and `left` positions from its corner of the grid, among zeros. */
function onGrid(x: Node, { rows, line }: CorrelationGrid, { top, left }: Pick<Pads, "top" | "left">): Node {
  const [images = 0, channels = 0, height = 0, width = 0] = x.shape;
  const lines = reshape(transpose(x, [0, 2, 3, 1]), [images, height, width * channels]);
  const placed = pad(lines, {
    before: [0, top, left * channels],
    after: [0, rows - top - height, (line - left - width) * channels],
  });
  return reshape(placed, [images * rows * line, channels]);
}

/**
 * One convolution of the fine side by the coarse one, with the batch in the place of the channels, the channels in that of
 * the batch, and strides and dilations exchanged. Each group's images stand in one group of channels. Positions beyond the
 * kernel, which a stride leaves, are cut off.
 */
function correlatedByConvolution({ fine, coarse, weight, attributes }: Correlated): Node {
  const [batch = 0, channels = 0, height = 0, width = 0] = fine.shape;
  const { strides, dilations, pads, group } = attributes;
  const images =
    group === 1
      ? transpose(fine, [1, 0, 2, 3])
      : reshape(transpose(reshape(fine, [batch, group, channels / group, height, width]), [2, 1, 0, 3, 4]), [
          channels / group,
          group * batch,
          height,
          width,
        ]);
  const kernels = transpose(coarse, [1, 0, 2, 3]);
  const correlation = conv(images, kernels, undefined, { strides: dilations, dilations: strides, pads, group });
  const [outputs = 0, perGroup = 0, kernelHeight = 0, kernelWidth = 0] = weight.shape;
  const within = slice(correlation, { starts: [0, 0, 0, 0], sizes: [perGroup, outputs, kernelHeight, kernelWidth] });
  return transpose(within, [1, 0, 2, 3]);
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

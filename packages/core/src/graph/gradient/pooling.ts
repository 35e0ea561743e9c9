import {
  add,
  constant,
  equal,
  maxPool as maxPooled,
  maxPoolGradient as maxPoolGradientOf,
  mul,
  pad,
  resize,
  scalarLike,
  slice,
  sub,
  cast,
} from "../build.ts";
import type { Node, NodeOf } from "../node.ts";
import { tensorOf } from "../tensor.ts";
import type { Pair } from "../vocabulary.ts";
import { expandAxes, expandTo, ones, scaled } from "./broadcast.ts";
import { convolutionInputGradient } from "./convolution.ts";
import type { GradientRequest } from "./rule.ts";
import { byOperand, none } from "./rule.ts";

/** To the first maximum of each window, row-major. */
export function maxPool({ node, gradient }: GradientRequest<"MaxPool">): Node {
  return maxPoolGradientOf(node.inputs[0], expandTo(gradient, node.shape), node.attributes);
}

/**
 * MaxPoolGradient is linear in the pooled gradient, so its own gradient takes the value at each window's first maximum:
 * one pass over the kernel's positions, in order. In `x` it is piecewise constant.
 */
export const maxPoolGradient = byOperand<"MaxPoolGradient">(none, ({ node, gradient }) => {
  const { kernel, strides, dilations, pads } = node.attributes;
  const [x, pooled] = node.inputs;
  const before = [0, 0, pads.top, pads.left];
  const after = [0, 0, pads.bottom, pads.right];
  const values = pad(x, { before, after, value: -Infinity });
  const shares = pad(expandTo(gradient, node.shape), { before, after });
  const maxima = maxPooled(x, node.attributes);
  let taken: Node | undefined;
  /** 1 for windows whose maximum is still to be met. */
  let open: Node = scalarLike(x, 1);
  for (let position = 0; position < kernel[0] * kernel[1]; position++) {
    const [row, column] = [Math.floor(position / kernel[1]), position % kernel[1]];
    const window = {
      starts: [0, 0, row * dilations[0], column * dilations[1]],
      sizes: pooled.shape,
      steps: [1, 1, ...strides],
    };
    const first = mul(cast(equal(slice(values, window), maxima), x.type), open);
    const share = mul(first, slice(shares, window));
    taken = taken === undefined ? share : add(taken, share);
    open = sub(open, first);
  }
  return taken;
});

/** Along one spatial axis of an average pool. */
interface PooledAxis {
  readonly axis: 2 | 3;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
  readonly extent: number;
  readonly windows: number;
}

function pooledAxes(node: NodeOf<"AveragePool">): readonly [PooledAxis, PooledAxis] {
  const { kernel, strides, pads } = node.attributes;
  const pooledAxis = (axis: 2 | 3, ends: { readonly before: number; readonly after: number }): PooledAxis => ({
    axis,
    kernel: kernel[axis === 2 ? 0 : 1],
    stride: strides[axis === 2 ? 0 : 1],
    ...ends,
    extent: node.inputs[0].shape[axis] ?? 1,
    windows: node.shape[axis] ?? 1,
  });
  return [
    pooledAxis(2, { before: pads.top, after: pads.bottom }),
    pooledAxis(3, { before: pads.left, after: pads.right }),
  ];
}

/** Each window's gradient, shared out evenly to its positions. */
export function averagePool({ node, gradient }: GradientRequest<"AveragePool">): Node {
  const [x] = node.inputs;
  const axes = pooledAxes(node);
  const shares = dividedByCounts(gradient, node, axes);
  const tiling = axes.every(({ kernel, stride, before, after }) => kernel === stride && before === 0 && after === 0);
  if (tiling) return repeated(shares, node, axes);
  const { kernel, strides, pads } = node.attributes;
  const [, channels = 1] = x.shape;
  const weight = ones(x.type, [channels, 1, ...kernel]);
  const attributes = { strides, pads, dilations: [1, 1], group: channels } as const;
  return convolutionInputGradient({
    gradient: shares,
    weight,
    attributes,
    inputShape: x.shape,
    outputShape: node.shape,
  });
}

/** Windows that neither overlap nor leave gaps: each value repeated, zeros after the last window. */
function repeated(shares: Node, node: NodeOf<"AveragePool">, axes: readonly [PooledAxis, PooledAxis]): Node {
  const same = ({ axis, kernel, windows, extent }: PooledAxis): boolean =>
    shares.shape[axis] === 1 && kernel * windows === extent;
  const changing = axes.filter((along) => !same(along));
  const whole = expandAxes(
    shares,
    changing.map(({ axis }) => axis),
    node.shape,
  );
  const scaleOf = (along: PooledAxis): number => (same(along) ? 1 : along.kernel);
  const scales: Pair = [scaleOf(axes[0]), scaleOf(axes[1])];
  const blocks = resize(whole, { scales, mode: "nearest", coordinates: "asymmetric", rounding: "floor" });
  const missing = (along: PooledAxis): number => (same(along) ? 0 : along.extent - along.kernel * along.windows);
  return pad(blocks, { after: [0, 0, missing(axes[0]), missing(axes[1])] });
}

/** Counts are separable: at most one vector for each spatial axis, never an array of the image's size. */
function dividedByCounts(gradient: Node, node: NodeOf<"AveragePool">, axes: readonly PooledAxis[]): Node {
  let uniform = 1;
  let shares = gradient;
  for (const along of axes) {
    const counts = node.attributes.countIncludePad ? [along.kernel] : positionsInside(along);
    const [first = 1] = counts;
    if (counts.every((count) => count === first)) uniform /= first;
    else {
      const shape = [1, 1, 1, 1].with(along.axis, counts.length);
      const reciprocals = counts.map((count) => 1 / count);
      shares = mul(shares, constant(tensorOf(gradient.type, shape, reciprocals)));
    }
  }
  return scaled(shares, uniform);
}

/** How many positions of each window lie in the value, not in its pads; at least 1. */
function positionsInside({ windows, stride, before, kernel, extent }: PooledAxis): readonly number[] {
  return Array.from({ length: windows }, (_, index) => {
    const start = index * stride - before;
    return Math.max(1, Math.min(start + kernel, extent) - Math.max(start, 0));
  });
}

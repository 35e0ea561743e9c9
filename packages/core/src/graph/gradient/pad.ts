import { add, pad as padded, sliceAxis } from "../build.ts";
import type { Node } from "../node.ts";
import type { Attributes } from "../vocabulary.ts";
import { expandAxes } from "./broadcast.ts";
import type { GradientRequest } from "./rule.ts";

/** One axis of a padded value: `before` + `extent` + `after` positions. */
interface PaddedAxis {
  readonly axis: number;
  readonly before: number;
  readonly extent: number;
  readonly after: number;
}

/** Which of the value's own positions the padding at distance `distance` >= 1 from the border shows, from that border. */
type Source = (distance: number) => number;

/** `undefined` for padding that shows no value at all. */
const sources: { readonly [M in Attributes<"Pad">["mode"]]: Source | undefined } = {
  constant: undefined,
  edge: () => 0,
  reflect: (distance) => distance,
};

/** Each padding position's gradient goes to the position it repeats; padding is separable, so axis by axis. */
export function pad({ node, gradient }: GradientRequest<"Pad">): Node {
  const [x] = node.inputs;
  const { before, after, mode } = node.attributes;
  const source = sources[mode];
  return x.shape.reduce((result: Node, extent, axis) => {
    const along = { axis, before: before[axis] ?? 0, extent, after: after[axis] ?? 0 };
    return along.before === 0 && along.after === 0 ? result : unpadAxis(result, { along, node, source });
  }, gradient);
}

interface Unpadding {
  readonly along: PaddedAxis;
  readonly node: Node;
  readonly source: Source | undefined;
}

function unpadAxis(gradient: Node, { along, node, source }: Unpadding): Node {
  const { axis, before, extent, after } = along;
  // Zeros, or whatever constant was padded, take nothing from a gradient that is the same along the axis.
  if (source === undefined && gradient.shape[axis] === 1) return gradient;
  const whole = expandAxes(gradient, [axis], node.shape);
  const core = sliceAxis(whole, { axis, start: before, size: extent });
  if (source === undefined) return core;
  const near = stripOf(whole, { axis, size: before, at: (distance) => before - distance, source: (d) => source(d) });
  const far = stripOf(whole, {
    axis,
    size: after,
    at: (distance) => before + extent - 1 + distance,
    source: (distance) => -source(distance),
  });
  const first = near === undefined ? core : add(core, widened(near, { axis, before: 0, extent }));
  return far === undefined
    ? first
    : add(first, widened(far, { axis, before: extent - (far.shape[axis] ?? 0), extent }));
}

interface Strip {
  readonly axis: number;
  /** Padding positions, at distances 1 to `size`. */
  readonly size: number;
  /** Where the padding position at a distance lies. */
  readonly at: (distance: number) => number;
  /** What it shows, from the border: 0 is the border, negative is to the left. */
  readonly source: Source;
}

/**
 * What a border's padding adds to the positions beside it, just wide enough for them: one position at a time, because
 * mirrored strips would not be local.
 */
function stripOf(whole: Node, { axis, size, at, source }: Strip): Node | undefined {
  const distances = Array.from({ length: size }, (_, index) => index + 1);
  const shown = distances.map(source);
  const low = Math.min(0, ...shown);
  const width = Math.max(0, ...shown) - low + 1;
  return distances.reduce((sum: Node | undefined, distance, index) => {
    const position = sliceAxis(whole, { axis, start: at(distance), size: 1 });
    const share = widened(position, { axis, before: (shown[index] ?? 0) - low, extent: width });
    return sum === undefined ? share : add(sum, share);
  }, undefined);
}

/** Zeros around `x`, so that it lies at `before` of `extent` positions. */
function widened(
  x: Node,
  { axis, before, extent }: { readonly axis: number; readonly before: number; readonly extent: number },
): Node {
  const size = x.shape[axis] ?? 0;
  const only = (amount: number): readonly number[] => x.shape.map((_, index) => (index === axis ? amount : 0));
  return padded(x, { before: only(before), after: only(extent - before - size) });
}

import type { Interval } from "../../geometry/interval.ts";
import { hull, intersect, isEmpty } from "../../geometry/interval.ts";
import {
  averagePool,
  conv,
  convTranspose,
  maxPool,
  maxPoolGradient,
  pad,
  resize,
  resizeGradient,
  slice,
} from "../build.ts";
import { spanOf } from "../extents.ts";
import type { Node } from "../node.ts";
import type { Pads, Pair, PoolingWindow, ResizeAttributes } from "../vocabulary.ts";
import { zeros } from "./elementwise.ts";
import { clipTo, extentAlong, global, numberAt, present } from "./rule.ts";
import type { Along, Layout, Local, LocalityRule, SpatialAxis } from "./rule.ts";

/** Windows slide over the last two axes of [N, C, H, W]. */
const imageLayout: Layout = [2, 3];

type Sliding = PoolingWindow & { readonly dilations: Pair };

function isImageLayout(layout: Layout): boolean {
  return layout[0] === 2 && layout[1] === 3;
}

const notOverImage = { reason: "slides over axes that are not the image's" } as const;

function padBefore(pads: Pads, axis: SpatialAxis): number {
  return axis === 0 ? pads.top : pads.left;
}

function padsOf(rows: readonly number[], columns: readonly number[]): Pads {
  return { top: numberAt(rows, 0), bottom: numberAt(rows, 1), left: numberAt(columns, 0), right: numberAt(columns, 1) };
}

interface Windows {
  readonly need: Interval;
  /** What remains of the pads at the true border. */
  readonly pads: readonly [before: number, after: number];
  /** Windows over the padded part that come before the wanted ones. */
  readonly skipped: number;
}

/** The windows `out` of a sliding operator: what they cover. */
function alongWindows(extent: number, sliding: Sliding, axis: SpatialAxis, out: Interval): Windows {
  const stride = sliding.strides[axis];
  const span = spanOf({ kernel: sliding.kernel[axis], dilation: sliding.dilations[axis] });
  const start = out.start * stride - padBefore(sliding.pads, axis);
  const end = (out.end - 1) * stride - padBefore(sliding.pads, axis) + span;
  const need = clipTo(extent, { start, end });
  if (!isEmpty(need)) return { need, pads: [need.start - start, end - need.end], skipped: 0 };
  // Windows wholly in the pads: the border's position is taken all the same, and the windows that it brings are cut away.
  if (end <= 0) return { need: { start: 0, end: 1 }, pads: [-start, 0], skipped: 0 };
  const beyond = start - (extent - 1);
  const skipped = Math.ceil(beyond / stride);
  return {
    need: { start: extent - 1, end: extent },
    pads: [skipped * stride - beyond, end - extent],
    skipped,
  };
}

function sliding(x: Node, window: Sliding, weights: readonly undefined[], build: (pads: Pads, x: Node) => Node): Local {
  return {
    layout: imageLayout,
    along: (axis, out) => {
      const { need, pads, skipped } = alongWindows(extentAlong(x, imageLayout, axis), window, axis, out);
      return { needs: [need, ...weights], recipe: [...pads, skipped, out.end - out.start] };
    },
    apply: ([rows, columns], operands) => {
      const windows = build(padsOf(rows, columns), present(operands, 0));
      const [n = 1, channels = 1] = windows.shape;
      return slice(windows, {
        starts: [0, 0, numberAt(rows, 2), numberAt(columns, 2)],
        sizes: [n, channels, numberAt(rows, 3), numberAt(columns, 3)],
      });
    },
  };
}

function kernelOf(weight: Node): Pair {
  return [weight.shape[2] ?? 1, weight.shape[3] ?? 1];
}

export const convLocality: LocalityRule<"Conv"> = (node, layoutOf) => {
  const [x, weight, bias] = node.inputs;
  const layout = layoutOf(x);
  if (layoutOf(weight) !== undefined) return { reason: "convolves with weights that depend on the image" };
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  const window = { ...node.attributes, kernel: kernelOf(weight) };
  return sliding(x, window, [undefined, undefined], (pads, part) =>
    conv(part, weight, bias, { ...node.attributes, pads, name: node.name }),
  );
};

export const maxPoolLocality: LocalityRule<"MaxPool"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  return sliding(x, node.attributes, [], (pads, part) => maxPool(part, { ...node.attributes, pads, name: node.name }));
};

export const averagePoolLocality: LocalityRule<"AveragePool"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  const window = { ...node.attributes, dilations: [1, 1] as const };
  return sliding(x, window, [], (pads, part) => averagePool(part, { ...node.attributes, pads, name: node.name }));
};

/**
 * The part of a transposed convolution's output: which inputs reach it, and how much of what they produce is cut away
 * (recipe 0 and 1) or lies beyond the last tap (recipe 2, an output padding).
 */
export const convTransposeLocality: LocalityRule<"ConvTranspose"> = (node, layoutOf) => {
  const [x, weight, bias] = node.inputs;
  const layout = layoutOf(x);
  if (layoutOf(weight) !== undefined) return { reason: "convolves with weights that depend on the image" };
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  const { strides, dilations, pads } = node.attributes;
  const kernel = kernelOf(weight);
  return {
    layout: imageLayout,
    along: (axis, out) => {
      const extent = extentAlong(x, imageLayout, axis);
      const stride = strides[axis];
      const before = padBefore(pads, axis);
      const span = spanOf({ kernel: kernel[axis], dilation: dilations[axis] });
      // Where windows leave gaps, the input before the gap stays, so that what is cut away is never negative.
      const first = Math.min(
        Math.ceil((out.start + before - span + 1) / stride),
        Math.floor((out.start + before) / stride),
      );
      const last = Math.floor((out.end - 1 + before) / stride);
      const start = Math.min(Math.max(first, 0), extent - 1);
      const end = Math.min(extent, Math.max(last + 1, start + 1));
      const producedStart = start * stride - before;
      const producedEnd = (end - 1) * stride - before + span;
      const beyond = Math.max(0, out.end - producedEnd);
      return {
        needs: [{ start, end }, undefined, undefined],
        recipe: [out.start - producedStart, Math.max(0, producedEnd - out.end), beyond],
      };
    },
    apply: ([rows, columns], operands) =>
      convTranspose(present(operands, 0), weight, bias, {
        ...node.attributes,
        pads: padsOf(rows, columns),
        outputPadding: [numberAt(rows, 2), numberAt(columns, 2)],
        name: node.name,
      }),
  };
};

export const maxPoolGradientLocality: LocalityRule<"MaxPoolGradient"> = (node, layoutOf) => {
  const [x, gradient] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return layoutOf(gradient) === undefined ? global : notOverImage;
  if (!isImageLayout(layout)) return notOverImage;
  const { attributes } = node;
  return {
    layout: imageLayout,
    along: (axis, out) => {
      const stride = attributes.strides[axis];
      const before = padBefore(attributes.pads, axis);
      const span = spanOf({ kernel: attributes.kernel[axis], dilation: attributes.dilations[axis] });
      const windows = clipTo(extentAlong(gradient, imageLayout, axis), {
        start: Math.ceil((out.start + before - span + 1) / stride),
        end: Math.floor((out.end - 1 + before) / stride) + 1,
      });
      if (isEmpty(windows))
        return { needs: [{ start: 0, end: 0 }, windows], recipe: [0, 0, 0, 0, out.end - out.start] };
      const { need, pads } = alongWindows(extentAlong(x, imageLayout, axis), attributes, axis, windows);
      // The windows may reach beyond the part (cut away), or leave a rest of it that no window covers (zeros).
      const covered = intersect(need, out);
      return {
        needs: [need, windows],
        recipe: [
          ...pads,
          covered.start - need.start,
          covered.start - out.start,
          out.end - out.start,
          covered.end - covered.start,
        ],
      };
    },
    apply: ([rows, columns], [part, windows]) => {
      const [n = 1, channels = 1] = node.shape;
      const sizes = [n, channels, numberAt(rows, 4), numberAt(columns, 4)];
      if (part === undefined || windows === undefined) return zeros(sizes, node.type);
      const whole = maxPoolGradient(part, windows, { ...attributes, pads: padsOf(rows, columns) });
      const covered = [n, channels, numberAt(rows, 5), numberAt(columns, 5)];
      const cut = slice(whole, { starts: [0, 0, numberAt(rows, 2), numberAt(columns, 2)], sizes: covered });
      const before = [0, 0, numberAt(rows, 3), numberAt(columns, 3)];
      return pad(cut, { before, after: sizes.map((size, axis) => size - (before[axis] ?? 0) - (covered[axis] ?? 0)) });
    },
  };
};

/** Resizing is the same at every tile only where input positions repeat: by whole factors, aligned at the origin. */
function resizeReason(attributes: ResizeAttributes): string | undefined {
  const { scales, coordinates } = attributes;
  if (coordinates === "align_corners") return "resizes with align_corners: sample positions depend on the image's size";
  if (!scales.every((scale) => Number.isInteger(scale) && scale >= 1)) {
    return `resizes by ${scales.join(" x ")}, which is no whole factor`;
  }
  return undefined;
}

/** Where the sample `out` lies in the input, without clamping to the border. */
const samplePosition: {
  readonly [C in ResizeAttributes["coordinates"]]: (out: number, scale: number) => number;
} = {
  half_pixel: (out, scale) => (out + 0.5) / scale - 0.5,
  pytorch_half_pixel: (out, scale) => (out + 0.5) / scale - 0.5,
  asymmetric: (out, scale) => out / scale,
  // Refused above, whatever the scale.
  align_corners: (out, scale) => out / scale,
};

export const resizeLocality: LocalityRule<"Resize"> = (node, layoutOf) => {
  const [x] = node.inputs;
  const layout = layoutOf(x);
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  const reason = resizeReason(node.attributes);
  if (reason !== undefined) return { reason };
  const { scales } = node.attributes;
  return {
    layout: imageLayout,
    along: (axis, out) => {
      const scale = scales[axis];
      // A sample lies at a position of the input or between two neighbours.
      const position = samplePosition[node.attributes.coordinates];
      const need = clipTo(extentAlong(x, imageLayout, axis), {
        start: Math.floor(position(out.start, scale)),
        end: Math.ceil(position(out.end - 1, scale)) + 1,
      });
      return { needs: [need], recipe: [out.start - need.start * scale, out.end - out.start] };
    },
    apply: ([rows, columns], operands) => {
      const part = present(operands, 0);
      const [n = 1, channels = 1] = node.shape;
      const resized = resize(part, { ...node.attributes, coordinates: samePhase(node.attributes) });
      return slice(resized, {
        starts: [0, 0, numberAt(rows, 0), numberAt(columns, 0)],
        sizes: [n, channels, numberAt(rows, 1), numberAt(columns, 1)],
        name: node.name,
      });
    },
  };
};

/** `pytorch_half_pixel` differs from `half_pixel` only where the whole output has one position: never for a part. */
function samePhase({ coordinates }: ResizeAttributes): ResizeAttributes["coordinates"] {
  return coordinates === "pytorch_half_pixel" ? "half_pixel" : coordinates;
}

export const resizeGradientLocality: LocalityRule<"ResizeGradient"> = (node, layoutOf) => {
  const [gradient] = node.inputs;
  const layout = layoutOf(gradient);
  if (layout === undefined) return global;
  if (!isImageLayout(layout)) return notOverImage;
  const reason = resizeReason(node.attributes);
  if (reason !== undefined) return { reason };
  const { scales } = node.attributes;
  return {
    layout: imageLayout,
    along: (axis, out): Along => {
      const scale = scales[axis];
      // One cell more on both sides: at its ends a part is taken for the border, which folds weights back.
      const cells = clipTo(node.attributes.extent[axis], hull(out, { start: out.start - 1, end: out.end + 1 }));
      return {
        needs: [{ start: cells.start * scale, end: cells.end * scale }],
        recipe: [cells.end - cells.start, out.start - cells.start, out.end - out.start],
      };
    },
    apply: ([rows, columns], operands) => {
      const [n = 1, channels = 1] = node.shape;
      const part = resizeGradient(present(operands, 0), [numberAt(rows, 0), numberAt(columns, 0)], {
        ...node.attributes,
        coordinates: samePhase(node.attributes),
      });
      return slice(part, {
        starts: [0, 0, numberAt(rows, 1), numberAt(columns, 1)],
        sizes: [n, channels, numberAt(rows, 2), numberAt(columns, 2)],
      });
    },
  };
};

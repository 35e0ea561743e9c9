import { averagePool, conv, convTranspose, maxPool, pad, reduceMax, reduceMean } from "../../../graph/build.ts";
import { spanOf, transposedExtent, windowedExtent } from "../../../graph/extents.ts";
import type { Sliding } from "../../../graph/extents.ts";
import type { Node } from "../../../graph/node.ts";
import type { Pads, Pair } from "../../../graph/vocabulary.ts";
import {
  expectOneOutput,
  imageOperand,
  intAttribute,
  intsAttribute,
  malformed,
  misfit,
  named,
  operand,
  optionalOperand,
  unsupported,
  wordAttribute,
} from "../operator-call.ts";
import type { OperatorCall, OperatorReader } from "../operator-call.ts";

type AutoPad = "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";

/** One value for each spatial axis. */
function pairAttribute(call: OperatorCall, name: string): Pair | undefined {
  const values = intsAttribute(call, name);
  if (values === undefined) return undefined;
  const [vertical, horizontal] = values;
  if (vertical === undefined || horizontal === undefined || values.length !== 2) {
    throw unsupported(call, `${name} = [${values.join(", ")}]`, "two spatial axes");
  }
  return [vertical, horizontal];
}

function padsAttribute(call: OperatorCall): Pads {
  const values = intsAttribute(call, "pads") ?? [0, 0, 0, 0];
  const [top, left, bottom, right] = values;
  if (top === undefined || left === undefined || bottom === undefined || right === undefined || values.length > 4) {
    throw unsupported(call, `pads = [${values.join(", ")}]`, "four pads (two spatial axes)");
  }
  if (values.some((value) => value < 0)) throw unsupported(call, `pads = [${values.join(", ")}]`, "pads from 0");
  return { top, left, bottom, right };
}

interface Window {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly autoPad: AutoPad;
  /** As given, before `autoPad` and `ceil_mode`. */
  readonly pads: Pads;
}

function windowOf(call: OperatorCall, kernel: Pair): Window {
  return {
    kernel,
    strides: pairAttribute(call, "strides") ?? [1, 1],
    dilations: pairAttribute(call, "dilations") ?? [1, 1],
    autoPad: wordAttribute(call, "auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"], "NOTSET"),
    pads: padsAttribute(call),
  };
}

function kernelAttribute(call: OperatorCall): Pair {
  const kernel = pairAttribute(call, "kernel_shape");
  if (kernel === undefined) throw malformed(call, "lacks its attribute kernel_shape");
  return kernel;
}

/** The window's way along each axis with no pads yet. */
function slidingOf(window: Window): readonly [Sliding, Sliding] {
  const along = (axis: 0 | 1): Sliding => ({
    kernel: window.kernel[axis],
    stride: window.strides[axis],
    dilation: window.dilations[axis],
    before: axis === 0 ? window.pads.top : window.pads.left,
    after: axis === 0 ? window.pads.bottom : window.pads.right,
  });
  return [along(0), along(1)];
}

/** A total as [before, after]; the odd one goes to the end unless `SAME_LOWER`. */
function halves(total: number, autoPad: AutoPad): Pair {
  const less = Math.floor(total / 2);
  return autoPad === "SAME_LOWER" ? [total - less, less] : [less, total - less];
}

/** Pads of one axis, as `auto_pad` wants them. */
function axisPads(extent: number, sliding: Sliding, autoPad: AutoPad): Pair {
  if (autoPad === "NOTSET") return [sliding.before, sliding.after];
  if (autoPad === "VALID") return [0, 0];
  const windows = Math.ceil(extent / sliding.stride);
  return halves(Math.max(0, (windows - 1) * sliding.stride + spanOf(sliding) - extent), autoPad);
}

function padsOf(vertical: Pair, horizontal: Pair): Pads {
  return { top: vertical[0], left: horizontal[0], bottom: vertical[1], right: horizontal[1] };
}

function extentsOf(image: Node): Pair {
  return [image.shape[2] ?? 0, image.shape[3] ?? 0];
}

function explicitPads(image: Node, window: Window): Pads {
  const [height, width] = extentsOf(image);
  const [vertical, horizontal] = slidingOf(window);
  return padsOf(axisPads(height, vertical, window.autoPad), axisPads(width, horizontal, window.autoPad));
}

/**
 * The pad at the end that lets a last, incomplete window begin inside the image or the pad before it, as `ceil_mode`
 * wants; in addition to `sliding.after`.
 */
function extraPad(extent: number, sliding: Sliding): number {
  const padded = extent + sliding.before + sliding.after;
  const windows = Math.ceil((padded - spanOf(sliding)) / sliding.stride) + 1;
  const begun = (windows - 1) * sliding.stride >= extent + sliding.before ? windows - 1 : windows;
  if (begun <= windowedExtent(extent, sliding)) return 0;
  return (begun - 1) * sliding.stride + spanOf(sliding) - padded;
}

/** What `ceil_mode` adds below and at the right. */
function ceilPads(call: OperatorCall, image: Node, window: Window): Pair {
  if ((intAttribute(call, "ceil_mode") ?? 0) === 0 || window.autoPad !== "NOTSET") return [0, 0];
  const [height, width] = extentsOf(image);
  const [vertical, horizontal] = slidingOf(window);
  return [extraPad(height, vertical), extraPad(width, horizontal)];
}

function extended(pads: Pads, extra: Pair): Pads {
  return { ...pads, bottom: pads.bottom + extra[0], right: pads.right + extra[1] };
}

/** The kernel's extents are the weight's. */
function kernelOf(call: OperatorCall, weight: Node): Pair {
  const [, , height, width] = weight.shape;
  if (height === undefined || width === undefined || weight.shape.length !== 4) {
    throw misfit(call, "a weight of rank 4", `[${weight.shape.join(", ")}]`);
  }
  const declared = pairAttribute(call, "kernel_shape");
  if (declared !== undefined && (declared[0] !== height || declared[1] !== width)) {
    throw misfit(call, `a weight with a kernel of ${declared.join(" x ")}`, `[${weight.shape.join(", ")}]`);
  }
  return [height, width];
}

const convolution: OperatorReader = (call) => {
  const x = imageOperand(call);
  const weight = operand(call, 1);
  const window = windowOf(call, kernelOf(call, weight));
  return conv(x, weight, optionalOperand(call, 2), {
    strides: window.strides,
    dilations: window.dilations,
    pads: explicitPads(x, window),
    group: intAttribute(call, "group") ?? 1,
    ...named(call),
  });
};

/** Pads and output padding of one axis of a transposed convolution whose output extent is given. */
function transposedPads(
  extent: number,
  sliding: Sliding,
  wanted: { readonly output: number; readonly autoPad: AutoPad },
) {
  const total = transposedExtent(extent, { ...sliding, before: 0, after: 0 }, 0) - wanted.output;
  if (total < 0) return { pads: [0, 0], outputPadding: -total } as const;
  // Here the odd one goes to the beginning unless SAME_UPPER: the standard's rule for transposed convolutions.
  const [less, more] = halves(total, "SAME_UPPER");
  return {
    pads: wanted.autoPad === "SAME_UPPER" ? ([less, more] as const) : ([more, less] as const),
    outputPadding: 0,
  };
}

const transposedConvolution: OperatorReader = (call) => {
  const x = imageOperand(call);
  const weight = operand(call, 1);
  const window = windowOf(call, kernelOf(call, weight));
  const outputPadding = pairAttribute(call, "output_padding") ?? ([0, 0] as const);
  const { strides, dilations, autoPad } = window;
  const common = { strides, dilations, group: intAttribute(call, "group") ?? 1, ...named(call) };
  const [height, width] = extentsOf(x);
  const same = autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER";
  const output =
    pairAttribute(call, "output_shape") ?? (same ? ([height * strides[0], width * strides[1]] as const) : undefined);
  if (output === undefined) {
    const pads = autoPad === "VALID" ? padsOf([0, 0], [0, 0]) : window.pads;
    return convTranspose(x, weight, optionalOperand(call, 2), { ...common, pads, outputPadding });
  }
  const [alongHeight, alongWidth] = slidingOf(window);
  const vertical = transposedPads(height, alongHeight, { output: output[0], autoPad });
  const horizontal = transposedPads(width, alongWidth, { output: output[1], autoPad });
  return convTranspose(x, weight, optionalOperand(call, 2), {
    ...common,
    pads: padsOf(vertical.pads, horizontal.pads),
    outputPadding: [vertical.outputPadding, horizontal.outputPadding],
  });
};

const maxPooling: OperatorReader = (call) => {
  expectOneOutput(call, "Indices");
  if ((intAttribute(call, "storage_order") ?? 0) !== 0) throw unsupported(call, "storage_order = 1", "0 (row-major)");
  const x = imageOperand(call);
  const window = windowOf(call, kernelAttribute(call));
  const { kernel, strides, dilations } = window;
  const pads = extended(explicitPads(x, window), ceilPads(call, x, window));
  return maxPool(x, { kernel, strides, dilations, pads, ...named(call) });
};

const averagePooling: OperatorReader = (call) => {
  const x = imageOperand(call);
  const window = windowOf(call, kernelAttribute(call));
  const { kernel, strides, dilations } = window;
  if (dilations.some((dilation) => dilation !== 1)) {
    throw unsupported(call, `dilations = [${dilations.join(", ")}]`, "dilations = [1, 1]");
  }
  const countIncludePad = (intAttribute(call, "count_include_pad") ?? 0) !== 0;
  const pads = explicitPads(x, window);
  const extra = ceilPads(call, x, window);
  if (!countIncludePad || extra.every((amount) => amount === 0)) {
    return averagePool(x, { kernel, strides, pads: extended(pads, extra), countIncludePad, ...named(call) });
  }
  // The pads are counted, what ceil_mode adds is not: so the pads become part of the image.
  const padded = pad(x, { before: [0, 0, pads.top, pads.left], after: [0, 0, pads.bottom, pads.right] });
  const rest = extended(padsOf([0, 0], [0, 0]), extra);
  return averagePool(padded, { kernel, strides, pads: rest, countIncludePad: false, ...named(call) });
};

/** Over all spatial axes, which stay with extent 1. */
function globalPooling(make: typeof reduceMean): OperatorReader {
  return (call) => {
    const x = operand(call, 0);
    return make(x, [...x.shape.keys()].slice(2), named(call));
  };
}

export const windowOperators: Readonly<Record<string, OperatorReader>> = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maxPooling,
  AveragePool: averagePooling,
  GlobalAveragePool: globalPooling(reduceMean),
  GlobalMaxPool: globalPooling(reduceMax),
};

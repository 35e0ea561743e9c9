import { resize } from "../../../graph/build.ts";
import { resizedExtent } from "../../../graph/extents.ts";
import type { Node } from "../../../graph/node.ts";
import type { Pair, ResizeAttributes } from "../../../graph/vocabulary.ts";
import {
  axisOf,
  constantOperand,
  floatsAttribute,
  imageOperand,
  intAttribute,
  intsAttribute,
  malformed,
  misfit,
  stringAttribute,
  unlessUnchanged,
  unsupported,
  wordAttribute,
} from "../operator-call.ts";
import type { OperatorCall, OperatorReader } from "../operator-call.ts";

/** How far a float32 lies from the next one, relative to its size. */
const float32Step = 2 ** -23;

/** The scale from one extent to another: nudged where rounding would lose the last position. */
function scaleBetween(from: number, to: number): number {
  const scale = to / from;
  return resizedExtent(from, scale) === to ? scale : scale * (1 + float32Step);
}

/** What an operand or attribute says of the two spatial axes, where it may speak of some axes only. */
function spatialValues(call: OperatorCall, values: readonly number[], x: Node, what: string): readonly number[] {
  const axes = (intsAttribute(call, "axes") ?? [...values.keys()]).map((axis) => axisOf(call, axis, x.shape.length));
  const whole = x.shape.map((extent, axis) => {
    const index = axes.indexOf(axis);
    return (index < 0 ? undefined : values[index]) ?? (what === "sizes" ? extent : 1);
  });
  const fits = values.length === axes.length;
  if (!fits) throw misfit(call, `${axes.length} ${what} (one for each axis)`, String(values.length));
  const unchanged = whole.slice(0, 2).every((value, axis) => value === (what === "sizes" ? x.shape[axis] : 1));
  if (!unchanged) throw unsupported(call, `${what} = [${whole.join(", ")}]`, "resizing of the last two axes alone");
  return whole.slice(2);
}

function pairOf([vertical = 1, horizontal = 1]: readonly number[]): Pair {
  return [vertical, horizontal];
}

/** How many times as long each axis becomes; `whole`: the extents times the scales are whole numbers, as meant. */
interface Scaling {
  readonly scales: Pair;
  readonly whole: boolean;
}

function scalingOf(
  call: OperatorCall,
  x: Node,
  operands: { readonly scales: number; readonly sizes: number },
): Scaling {
  const sizes = constantOperand(call, operands.sizes, "sizes") ?? [];
  if (sizes.length > 0) {
    wordAttribute(call, "keep_aspect_ratio_policy", ["stretch"], "stretch");
    const [height = 1, width = 1] = spatialValues(call, sizes, x, "sizes");
    return { scales: [scaleBetween(x.shape[2] ?? 1, height), scaleBetween(x.shape[3] ?? 1, width)], whole: true };
  }
  const given = constantOperand(call, operands.scales, "scales") ?? [];
  if (given.length === 0) throw malformed(call, "has neither scales nor sizes");
  const scales = pairOf(spatialValues(call, given, x, "scales"));
  const whole = scales.every((scale, axis) =>
    Number.isInteger(Math.fround((x.shape[axis + 2] ?? 1) * Math.fround(scale))),
  );
  return { scales, whole };
}

type Sampling = Pick<ResizeAttributes, "coordinates" | "rounding">;

const roundings = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const;
const coordinateModes = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"] as const;

/** Where engines and the standard, or the vocabulary and the standard, agree for whole output extents alone. */
const wholeOnly: readonly string[] = ["align_corners", "half_pixel_symmetric"];

/** How positions are found and rounded; the modes that say the same as one in the vocabulary are translated. */
function samplingOf(call: OperatorCall, scaling: Scaling): Sampling {
  const rounding = wordAttribute(call, "nearest_mode", roundings, "round_prefer_floor");
  const mode = stringAttribute(call, "coordinate_transformation_mode") ?? "half_pixel";
  if (wholeOnly.includes(mode) && !scaling.whole) {
    const got = `${mode} with scales [${scaling.scales.join(", ")}]`;
    throw unsupported(call, got, `${mode} where the extents times the scales are whole numbers`);
  }
  // The two differ only where they are not.
  if (mode === "half_pixel_symmetric") return { coordinates: "half_pixel", rounding };
  if (mode === "tf_half_pixel_for_nn" && rounding === "floor") {
    // floor((i + 0.5) / scale) is (i + 0.5) / scale - 0.5 rounded, halves up.
    return { coordinates: "half_pixel", rounding: "round_prefer_ceil" };
  }
  return {
    coordinates: wordAttribute(call, "coordinate_transformation_mode", coordinateModes, "half_pixel"),
    rounding,
  };
}

function modeOf(call: OperatorCall): ResizeAttributes["mode"] {
  const mode = stringAttribute(call, "mode") ?? "nearest";
  // Two words of older versions for the same thing.
  if (mode === "bilinear" || mode === "linear") return "linear";
  return wordAttribute(call, "mode", ["nearest", "linear"], "nearest") === "nearest" ? "nearest" : "linear";
}

/** Before version 11 positions were i / scale; of how they are rounded only upsampling left no doubt. */
function formerSampling(call: OperatorCall, scales: Pair, mode: ResizeAttributes["mode"]): Sampling {
  if (mode === "nearest" && scales.some((scale) => scale < 1)) {
    throw unsupported(
      call,
      `nearest downsampling in operator set ${call.opset}, which does not define the rounding`,
      "operator set 11 and later for that",
    );
  }
  return { coordinates: "asymmetric", rounding: "floor" };
}

const resizing: OperatorReader = (call) => {
  const x = imageOperand(call);
  const mode = modeOf(call);
  const former = call.opset < 11;
  const scaling = scalingOf(call, x, former ? { scales: 1, sizes: -1 } : { scales: 2, sizes: 3 });
  const { scales } = scaling;
  const enlarging = scales.every((scale) => scale >= 1);
  if ((intAttribute(call, "antialias") ?? 0) !== 0 && !enlarging) {
    throw unsupported(call, "antialias = 1", "antialias = 0");
  }
  const sampling = former ? formerSampling(call, scales, mode) : samplingOf(call, scaling);
  return unlessUnchanged(call, x, (options) => resize(x, { mode, scales, ...sampling, ...options }));
};

const upsampling: OperatorReader = (call) => {
  const x = imageOperand(call);
  const mode = modeOf(call);
  const given = floatsAttribute(call, "scales");
  const scales =
    given === undefined
      ? scalingOf(call, x, { scales: 1, sizes: -1 }).scales
      : pairOf(spatialValues(call, given, x, "scales"));
  const sampling = formerSampling(call, scales, mode);
  return unlessUnchanged(call, x, (options) => resize(x, { mode, scales, ...sampling, ...options }));
};

export const resizeOperators: Readonly<Record<string, OperatorReader>> = {
  Resize: resizing,
  Upsample: upsampling,
};

import type { ResizeAttributes } from "./vocabulary.ts";

/** A share that one input position has in an output position. */
export interface Tap {
  readonly position: number;
  readonly weight: number;
}

/** One axis that Resize resamples. */
export interface ResampledAxis {
  /** Input extent. */
  readonly extent: number;
  /** Output extent. */
  readonly resized: number;
  readonly scale: number;
}

type Locate = (output: number, axis: ResampledAxis) => number;
type Rounding = (position: number) => number;

/** Where an output sample lies in the input: ONNX Resize, `coordinate_transformation_mode`. */
const locate: { readonly [C in ResizeAttributes["coordinates"]]: Locate } = {
  half_pixel: (output, { scale }) => (output + 0.5) / scale - 0.5,
  pytorch_half_pixel: (output, { scale, resized }) => (resized > 1 ? (output + 0.5) / scale - 0.5 : 0),
  asymmetric: (output, { scale }) => output / scale,
  align_corners: (output, { extent, resized }) => (resized > 1 ? (output * (extent - 1)) / (resized - 1) : 0),
};

/** ONNX Resize, `nearest_mode`. */
const nearest: { readonly [R in ResizeAttributes["rounding"]]: Rounding } = {
  floor: Math.floor,
  ceil: Math.ceil,
  round_prefer_floor: (position) => Math.ceil(position - 0.5),
  round_prefer_ceil: (position) => Math.floor(position + 0.5),
};

/**
 * The linear map that Resize is along one axis: for each output position the input positions that it is made of, with
 * weights that sum to 1. Positions beyond the border count as the border.
 */
export function tapsOf(
  axis: ResampledAxis,
  attributes: Pick<ResizeAttributes, "mode" | "coordinates" | "rounding">,
): readonly (readonly Tap[])[] {
  const last = axis.extent - 1;
  const within = (position: number): number => Math.min(Math.max(position, 0), last);
  return Array.from({ length: axis.resized }, (_, output) => {
    const position = locate[attributes.coordinates](output, axis);
    if (attributes.mode === "nearest") {
      // Engines compute the position in float32; in float64 a ratio such as 5/3 would miss the integers it should hit.
      return [{ position: within(nearest[attributes.rounding](Math.fround(position))), weight: 1 }];
    }
    const clamped = within(position);
    const low = Math.floor(clamped);
    const share = clamped - low;
    if (share === 0) return [{ position: low, weight: 1 }];
    return [
      { position: low, weight: 1 - share },
      { position: low + 1, weight: share },
    ];
  });
}

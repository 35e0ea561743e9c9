import type { Precision } from "../engine/engine.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";
import type { PlanOptions } from "../explain/draft.ts";
import { targetForTop } from "../explain/target.ts";
import type { Rectangle } from "../geometry/rectangle.ts";
import { coreOf, gridOfCores } from "../geometry/tile-grid.ts";
import { allOrFirstFailure } from "../io/all-or-first-failure.ts";
import type { Abortable } from "../io/byte-source.ts";
import { digitsAbove } from "./digits-above.ts";
import type { PipelineEvent } from "./events.ts";
import { explainPixels } from "./explain-pixels.ts";
import type { ImageWork } from "./image-work.ts";
import type { PlannedRun, TilePlan } from "./plan-runs.ts";
import { defaultMaxError } from "./settings.ts";

/** Error of a map in a lower precision against float32, as shares of the float32 map's range. */
export interface PrecisionError {
  /** 99.9 % of the pixels are nearer. */
  readonly quantile: number;
  readonly largest: number;
  readonly mean: number;
}

/** What a run is computed in, and why. */
export interface PrecisionChoice {
  readonly requested: Precision;
  readonly used: Precision;
  /** Absent in float32, which needs no measurement. */
  readonly measured?: {
    readonly error: PrecisionError;
    /** Of the quantile. */
    readonly bound: number;
    /** Parts of the image that were computed both ways. */
    readonly probes: number;
  };
}

/** As large as a U-Net's receptive field is wide; more would cost small images as much as the map itself. */
const probeSide = 192;
const probeCount = 3;
/** Of what is kept of an image, at most, where one probe is not more: they are computed twice. */
const probedShare = 0.02;

/**
 * What the network should be computed in.
 * @throws {SlidelightError} `engine-unavailable` when the engine does not compute in this precision.
 */
export function requestedPrecision({ settings, resources: { engine } }: ImageWork): Precision {
  const requested = settings.precision ?? "float32";
  if (engine.precisions.includes(requested)) return requested;
  throw new SlidelightError(
    "engine-unavailable",
    `Computing in ${requested}: expected an engine that can, got ${engine.name} on ${engine.provider} (${engine.precisions.join(", ")}). Choose --precision float32 or another --engine: slidelight engines lists them.`,
  );
}

export interface ProbeOptions extends Abortable {
  /** As `requestedPrecision` says. */
  readonly requested: Precision;
}

/**
 * Measures what a lower precision does to this image's maps: squares of what is kept of it are explained as images
 * of their own, in float32 and in the precision that was asked for. Runs whose error is above the bound get float32, with a
 * warning. The bound is on a quantile, because rounding turns a ReLU or a maximum near a tie at a few pixels in 100,000
 * in *any* precision, which the largest error would make the whole story of gradients.
 * @returns By run id.
 */
export async function probePrecision(
  work: ImageWork,
  plan: TilePlan,
  { requested, signal }: ProbeOptions,
): Promise<ReadonlyMap<string, PrecisionChoice>> {
  const { settings, observe, image } = work;
  if (requested === "float32") return new Map(plan.runs.map(({ id }) => [id, { requested, used: requested }]));
  const bound = settings.maxError ?? defaultMaxError;
  const areas = probeAreas(work, plan);
  const errors = await errorsOf(work, plan, { requested, areas, signal });
  return new Map(
    plan.runs.map(({ id, method, target }, index) => {
      const error = errors[index];
      if (error === undefined) throw new RangeError("Every run was probed.");
      const used = error.quantile <= bound ? requested : "float32";
      if (used !== requested) {
        observe({
          kind: "warning",
          message: `${image.uri}, ${method}, ${target}: ${requested} is off by ${digitsAbove(error.quantile, bound)} of the map's range at 1 in 1000 pixels, above ${bound} (--max-error): computed in float32`,
        });
      }
      return [id, { requested, used, measured: { error, bound, probes: areas.length } }];
    }),
  );
}

/**
 * Squares in some of the blocks that are kept, spread over the image: at evenly spaced steps from the first one's upper left to the last one's lower right. They
 * do not depend on the tiles: nor does what they tell.
 */
function probeAreas({ level }: ImageWork, { grid, tissue }: TilePlan): readonly Rectangle[] {
  const width = Math.min(probeSide, level.width);
  const height = Math.min(probeSide, level.height);
  const { kept } = tissue;
  const affordable = Math.floor((tissue.cells([1, 1]) * probedShare) / (width * height));
  const count = Math.min(probeCount, Math.max(1, affordable));
  const blocks = gridOfCores(grid.image, tissue.block);
  return Array.from({ length: count }, (_, index) => {
    const place = ((index + 0.5) / count) * kept.length;
    const core = coreOf(blocks, kept[Math.floor(place)] ?? 0);
    const along = (start: number, extent: number, side: number, whole: number): number =>
      Math.min(Math.max(0, Math.floor(start + (place % 1) * extent - side / 2)), whole - side);
    const x = along(core.x, core.width, width, level.width);
    const y = along(core.y, core.height, height, level.height);
    return { x, y, width, height };
  });
}

interface ErrorOptions extends ProbeOptions {
  readonly areas: readonly Rectangle[];
}

/** The error of each run's map, over all areas. */
async function errorsOf(
  { resources, programs, mean, std, slide, level, observe }: ImageWork,
  { runs }: TilePlan,
  { requested, areas, signal }: ErrorOptions,
): Promise<readonly PrecisionError[]> {
  const [first, ...rest] = runs;
  const asked = [probeOf(first), ...rest.map(probeOf)] as const;
  const busy = (event: PipelineEvent): void => {
    if (event.kind === "tile-done") observe({ kind: "probe-done", busySeconds: event.busySeconds });
  };
  const common = { engine: resources.engine, model: resources.model, programs, mean, std, observe: busy, signal };
  const pairs = runs.map((): MapPair[] => []);
  for (const area of areas) {
    const pixels = await slide.read(level.index, area, { signal });
    const [wide, narrow] = await allOrFirstFailure([
      explainPixels(pixels, asked, common),
      explainPixels(pixels, asked, { ...common, precision: requested }),
    ]);
    wide.forEach(({ map }, index) =>
      pairs[index]?.push({ wide: map, narrow: narrow[index]?.map ?? new Float32Array() }),
    );
  }
  return pairs.map(compare);
}

/** What the top class is, is known only after the last tile: the first one stands for it. */
function probeOf({ options }: PlannedRun): PlanOptions {
  return { ...options, target: targetForTop(options.target, 0) };
}

interface MapPair {
  readonly wide: Float32Array;
  readonly narrow: Float32Array;
}

const quantile = 0.999;

function compare(pairs: readonly MapPair[]): PrecisionError {
  let [low, high, sum, count] = [Infinity, -Infinity, 0, 0];
  for (const { wide } of pairs) {
    for (const value of wide) [low, high] = [Math.min(low, value), Math.max(high, value)];
    count += wide.length;
  }
  const errors = new Float64Array(count);
  // A map that is constant has no range: any error is then too large.
  const range = Math.max(high - low, Number.MIN_VALUE);
  let at = 0;
  for (const { wide, narrow } of pairs) {
    for (const [index, value] of wide.entries()) {
      const error = Math.abs(value - (narrow[index] ?? Number.NaN)) / range;
      errors[at] = Number.isNaN(error) ? Infinity : error;
      sum += errors[at] ?? 0;
      at += 1;
    }
  }
  errors.sort();
  const last = Math.max(0, count - 1);
  return {
    quantile: errors[Math.ceil(quantile * last)] ?? 0,
    largest: errors[last] ?? 0,
    mean: count === 0 ? 0 : sum / count,
  };
}

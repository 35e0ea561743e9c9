import type { Engine, Precision } from "../engine/engine.ts";
import type { PlanOptions } from "../explain/draft.ts";
import type { Outcome, StatisticTable } from "../explain/explanation.ts";
import { joinExplanations } from "../explain/join.ts";
import { mergeTables } from "../explain/statistics.ts";
import { planExplanation } from "../explain/plan.ts";
import type { MapTile } from "../explain/tile-program.ts";
import type { Pixels } from "../format/image.ts";
import { cropPixels } from "../format/images/crop-pixels.ts";
import type { Rectangle, Size } from "../geometry/rectangle.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";
import type { Preprocessing } from "../model/network.ts";
import { chooseTileGrid } from "./choose-tile.ts";
import type { Observe } from "./events.ts";
import type { ProgramCache } from "./program-cache.ts";
import { sweepTiles, tileOrder } from "./sweep-tiles.ts";
import type { TileSweep } from "./sweep-tiles.ts";
import { recomputeAbove } from "./tile-memory.ts";
import { wholeImage } from "./tissue.ts";

/** What one method makes of an image in memory. */
export interface PixelExplanation {
  readonly outcome: Outcome;
  /** The method's values, unscaled: [height, width], row-major. */
  readonly map: Float32Array;
}

export interface PixelResources extends Abortable, Preprocessing {
  readonly engine: Engine;
  /** Programs of the same engine. */
  readonly programs: ProgramCache;
  readonly model: Model;
  /** Default: float32. */
  readonly precision?: Precision;
  /** Bytes that one tile may take in the engine. */
  readonly memoryBytes?: number;
  readonly observe?: Observe;
}

/**
 * Explains an image in memory, without files: the same values as `explainImage` writes, for as many methods and targets as
 * are asked for, in this order.
 * @throws {SlidelightError} As `planExplanation` and the engine do.
 */
export async function explainPixels(
  pixels: Pixels,
  asked: readonly [PlanOptions, ...PlanOptions[]],
  resources: PixelResources,
): Promise<readonly PixelExplanation[]> {
  const { engine, programs, model, mean, std, precision = "float32", memoryBytes, observe, signal } = resources;
  const size: Size = { width: pixels.width, height: pixels.height };
  const network = networkFor(model, size, { samples: pixels.samples, mean, std });
  const [first, ...rest] = asked;
  const joint = joinExplanations([
    planExplanation(network, first),
    ...rest.map((options) => planExplanation(network, options)),
  ]);
  const memory = { engine, precision, ...(memoryBytes === undefined ? {} : { memoryBytes }) };
  const grid = chooseTileGrid(joint, memory);
  const maps = new Map<string, Float32Array>();
  let statistics: StatisticTable = new Map();
  const tissue = wholeImage(grid);
  for (let index = 0; index < joint.sweeps.length; index += 1) {
    const sweep: TileSweep = {
      plan: joint,
      index,
      grid,
      tissue,
      tiles: tileOrder({ plan: joint, grid, tissue }, index),
      precision,
      recomputeAbove: recomputeAbove(memory),
      samples: "float32",
      programs,
      programKey: [
        model.sha256,
        size.width,
        size.height,
        pixels.samples,
        mean.join(),
        std.join(),
        JSON.stringify(asked.map(({ method, target, layer }) => [method, target, layer])),
      ].join("/"),
      observe: observe ?? ((): void => undefined),
      signal,
      read: (rectangle) => Promise.resolve(cropPixels(pixels, rectangle)),
    };
    let merged = statistics;
    for await (const result of sweepTiles(sweep, statistics)) {
      merged = mergeTables(merged, result.statistics);
      for (const [map, values] of result.maps) {
        const whole = maps.get(map) ?? new Float32Array(size.width * size.height);
        maps.set(map, whole);
        copyTile(whole, size, { values, core: result.core });
      }
    }
    statistics = merged;
  }
  return asked.map((_, index): PixelExplanation => {
    const outcome = joint.outcome(index, statistics);
    const map = maps.get(outcome.map);
    if (map === undefined) throw new RangeError(`The map "${outcome.map}" was not computed.`);
    return { outcome, map };
  });
}

function copyTile(
  whole: Float32Array,
  { width }: Size,
  { values, core }: { readonly values: MapTile; readonly core: Rectangle },
): void {
  for (let row = 0; row < core.height; row += 1) {
    const line = values.data.subarray(row * core.width, (row + 1) * core.width);
    whole.set(line, (core.y + row) * width + core.x);
  }
}

import type { Engine, Precision } from "../engine/engine.ts";
import type { PlanOptions } from "../explain/draft.ts";
import type { Outcome, StatisticTable } from "../explain/explanation.ts";
import { joinExplanations } from "../explain/join.ts";
import type { JointExplanation } from "../explain/join.ts";
import { mergeTables } from "../explain/statistics.ts";
import { planExplanation } from "../explain/plan.ts";
import type { MapTile } from "../explain/tile-program.ts";
import type { Pixels } from "../format/image.ts";
import { cropPixels } from "../format/images/crop-pixels.ts";
import type { Rectangle, Size } from "../geometry/rectangle.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import type { Abortable } from "../io/byte-source.ts";
import { giveBuffers } from "../io/used-buffers.ts";
import type { Model } from "../model/model.ts";
import { networkFor } from "../model/network.ts";
import type { Preprocessing } from "../model/network.ts";
import { chooseTileGrid } from "./tiles/choose-tile.ts";
import type { Observe } from "./events.ts";
import type { ProgramCache } from "./program-cache.ts";
import { sweepTiles } from "./sweep-tiles.ts";
import type { TileSweep } from "./sweep-tiles.ts";
import { tileOrder } from "./tiles/tile-tasks.ts";
import { recomputeAbove } from "./tiles/tile-memory.ts";
import type { TileMemory } from "./tiles/tile-memory.ts";
import { wholeImage } from "./tiles/tissue.ts";

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

/** Explains images in memory by one model; what is planned for a size is kept for the next image of that size. */
export interface PixelExplainer {
  /**
   * The same values as `explainImage` writes, for as many methods and targets as are asked for, in this order.
   * @throws {SlidelightError} As `planExplanation` and the engine do.
   */
  explain(
    pixels: Pixels,
    asked: readonly [PlanOptions, ...PlanOptions[]],
    options?: Abortable,
  ): Promise<readonly PixelExplanation[]>;
  /** What the model makes of an image: one visit to its tiles, without a map. */
  classify(pixels: Pixels, classes: readonly string[], options?: Abortable): Promise<Outcome>;
}

/** Plans that are kept: those of the sizes and targets that were used last. */
const keptPlans = 16;

export function openPixelExplainer(resources: PixelResources): PixelExplainer {
  const plans = new Map<string, PixelPlan>();
  const planFor = (pixels: Pixels, asked: readonly [PlanOptions, ...PlanOptions[]], mapless: boolean): PixelPlan => {
    const { width, height, samples } = pixels;
    const wanted = asked.map(({ method, target, layer, classes }) => [method, target, layer, classes]);
    const key = JSON.stringify([width, height, samples, mapless, wanted]);
    const known = plans.get(key);
    const plan = known ?? planPixels(pixels, asked, { resources, key, mapless });
    plans.delete(key);
    plans.set(key, plan);
    const [oldest] = plans.keys();
    if (plans.size > keptPlans && oldest !== undefined) plans.delete(oldest);
    return plan;
  };
  return {
    explain: async (pixels, asked, options = {}) => {
      const { joint, statistics, maps } = await sweepPixels(pixels, planFor(pixels, asked, false), {
        ...resources,
        ...options,
      });
      return asked.map((_, index): PixelExplanation => {
        const outcome = joint.outcome(index, statistics);
        const map = maps.get(outcome.map);
        if (map === undefined) throw new RangeError(`The map "${outcome.map}" was not computed.`);
        return { outcome, map };
      });
    },
    classify: async (pixels, classes, options = {}) => {
      const plan = planFor(pixels, [{ method: "grad-cam", target: { kind: "top1" }, classes }], true);
      const { joint, statistics } = await sweepPixels(pixels, plan, { ...resources, ...options });
      return joint.outcome(0, statistics);
    },
  };
}

/**
 * Explains one image in memory, without files.
 * @throws {SlidelightError} As `planExplanation` and the engine do.
 */
export function explainPixels(
  pixels: Pixels,
  asked: readonly [PlanOptions, ...PlanOptions[]],
  resources: PixelResources,
): Promise<readonly PixelExplanation[]> {
  return openPixelExplainer(resources).explain(pixels, asked);
}

interface PixelPlan {
  readonly joint: JointExplanation;
  readonly grid: TileGrid;
  readonly programKey: string;
}

function planPixels(
  { width, height, samples }: Pixels,
  [first, ...rest]: readonly [PlanOptions, ...PlanOptions[]],
  planned: { readonly resources: PixelResources; readonly key: string; readonly mapless: boolean },
): PixelPlan {
  const { model, mean, std } = planned.resources;
  const network = networkFor(model, { width, height }, { samples, mean, std });
  const whole = joinExplanations([
    planExplanation(network, first),
    ...rest.map((options) => planExplanation(network, options)),
  ]);
  const joint = planned.mapless ? withoutMaps(whole) : whole;
  return {
    joint,
    grid: chooseTileGrid(joint, memoryOf(planned.resources)),
    programKey: [model.sha256, mean.join(), std.join(), planned.key].join("/"),
  };
}

/** The pools' statistics alone, from which the class scores follow: they wait for nothing else. */
function withoutMaps(joint: JointExplanation): JointExplanation {
  return { ...joint, sweeps: joint.sweeps.slice(0, 1).map(({ statistics }) => ({ statistics, maps: [] })) };
}

interface Swept {
  readonly joint: JointExplanation;
  readonly statistics: StatisticTable;
  readonly maps: ReadonlyMap<string, Float32Array>;
}

async function sweepPixels(
  pixels: Pixels,
  { joint, grid, programKey }: PixelPlan,
  resources: PixelResources,
): Promise<Swept> {
  const { programs, precision = "float32", observe, signal } = resources;
  const { width, height } = pixels;
  const maps = new Map<string, Float32Array>();
  let statistics: StatisticTable = new Map();
  const tissue = wholeImage(grid);
  for (let index = 0; index < joint.sweeps.length; index += 1) {
    const sweep: TileSweep = {
      plan: joint,
      index,
      grid,
      tissue,
      tiles: tileOrder({ plan: joint, index, grid, tissue }),
      precision,
      recomputeAbove: recomputeAbove(memoryOf(resources)),
      composition: resources.engine.composition,
      samples: "float32",
      programs,
      programKey,
      observe: observe ?? ((): void => undefined),
      signal,
      read: ({ rectangle }) => Promise.resolve({ pixels: cropPixels(pixels, rectangle) }),
    };
    let merged = statistics;
    for await (const result of sweepTiles(sweep, statistics)) {
      merged = mergeTables(merged, result.statistics);
      for (const [map, values] of result.maps) {
        const whole = maps.get(map) ?? new Float32Array(width * height);
        maps.set(map, whole);
        copyTile(whole, { width, height }, { values, core: result.core, window: result.window ?? result.core });
      }
      giveBuffers(result.maps.values());
    }
    statistics = merged;
  }
  return { joint, statistics, maps };
}

/** Images in memory come in few sizes, so that their tiles need not be alike: the network is that of the image as it is. */
function memoryOf({ engine, precision = "float32", memoryBytes }: PixelResources): TileMemory {
  const own = { ...engine, alikeTiles: false, resizes: () => false };
  return { engine: own, precision, ...(memoryBytes === undefined ? {} : { memoryBytes }) };
}

interface CopiedTile {
  readonly values: MapTile;
  /** What they cover. */
  readonly window: Rectangle;
  /** The part of it that is copied. */
  readonly core: Rectangle;
}

function copyTile(whole: Float32Array, { width }: Size, { values, window, core }: CopiedTile): void {
  const corner = (core.y - window.y) * window.width + core.x - window.x;
  for (let row = 0; row < core.height; row += 1) {
    const from = corner + row * window.width;
    whole.set(values.data.subarray(from, from + core.width), (core.y + row) * width + core.x);
  }
}

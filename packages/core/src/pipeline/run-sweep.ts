import type { StatisticTable, Sweep, SweepPlan } from "../explain/explanation.ts";
import type { Precision } from "../engine/engine.ts";
import { mergeStatistics } from "../explain/statistics.ts";
import type { Statistic } from "../explain/statistics.ts";
import { readMap, readStatistics, sweepOutputs, sweepRegions, tileProgram } from "../explain/tile-program.ts";
import type { MapSamples, MapTile } from "../explain/tile-program.ts";
import type { Pixels } from "../format/image.ts";
import type { Rectangle, Region } from "../geometry/rectangle.ts";
import { rectangleOf, regionOf } from "../geometry/rectangle.ts";
import { coreOf } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { foldConstants } from "../graph/fold-constants.ts";
import { graphOf } from "../graph/graph.ts";
import { optimise } from "../graph/optimise.ts";
import { prepareRestriction } from "../graph/restrict.ts";
import type { RestrictionPlan } from "../graph/restrict.ts";
import { float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Abortable } from "../io/byte-source.ts";
import type { Observe } from "./events.ts";
import type { ProgramCache } from "./program-cache.ts";
import { readAhead } from "./read-ahead.ts";
import type { TissueMask } from "./tissue.ts";

/** Tiles that are read while others compute, and tiles that the engine is given at once so that it never waits. */
const readDepth = 3;
const computeDepth = 2;

export interface SweepRun extends Abortable {
  readonly plan: SweepPlan;
  readonly index: number;
  readonly grid: TileGrid;
  readonly tissue: TissueMask;
  readonly samples: MapSamples;
  readonly precision: Precision;
  /** Bytes of values above which some are computed again rather than kept; `undefined` keeps all. */
  readonly recomputeAbove: number | undefined;
  readonly programs: ProgramCache;
  /** Prefix of program keys: names the model, image size, method and target. */
  readonly programKey: string;
  readonly observe: Observe;
  readonly read: (rectangle: Rectangle, options: Abortable) => Promise<Pixels>;
  /** Called with each tile's maps; what it returns is awaited before the sweep ends. */
  readonly store: (tile: number, map: string, values: MapTile, core: Rectangle) => Promise<void>;
  /** Called with the pixels of the tile's input rectangle before they go to the engine. */
  readonly see?: (core: Rectangle, input: Rectangle, pixels: Pixels) => Promise<void>;
}

/** Smallest and largest value of each map. */
export type MapRanges = ReadonlyMap<string, { readonly min: number; readonly max: number }>;

interface TileTask {
  readonly tile: number;
  readonly core: Rectangle;
  readonly regions: Readonly<Record<string, Region>>;
  readonly plan: RestrictionPlan;
}

/**
 * One visit to every kept tile, one kind after the other: statistics merged in float64 in that order, maps handed to `store`.
 * @throws What reading, the engine or `store` throws; the signal's reason.
 */
export async function runSweep(
  run: SweepRun,
  known: StatisticTable,
): Promise<{ readonly statistics: StatisticTable; readonly ranges: MapRanges }> {
  const sweep = at(run.plan.sweeps, run.index);
  const globals = run.plan.globals(known);
  const { tasks, frequent } = byKind(planTiles(run, sweep));
  const statistics = new Map<string, Statistic>(known);
  const ranges = new Map<string, { min: number; max: number }>();

  const compute = async (task: TileTask): Promise<{ task: TileTask; outputs: Readonly<Record<string, Tensor>> }> => {
    // A program is compiled while its first tile is read.
    const [inputs, program] = await both(
      readInputs(run, task, globals),
      run.programs.get({
        key: `${run.programKey}/sweep${run.index}/${run.samples}/${run.precision}/${task.plan.key}`,
        label: `sweep ${run.index + 1}, tile ${task.tile}`,
        frequent: task.plan.key === frequent,
        precision: run.precision,
        build: () =>
          optimise(tileProgram(sweep, task.plan.build(), run.samples), {
            foldScales: run.precision === "float32",
            ...(run.recomputeAbove === undefined ? {} : { memoryBytes: run.recomputeAbove }),
          }),
      }),
    );
    const names = new Set(program.inputs);
    const given = Object.fromEntries(Object.entries(inputs).filter(([name]) => names.has(name)));
    const started = performance.now();
    const { outputs, busySeconds } = await program.run(given, { signal: run.signal });
    run.observe({ kind: "stage-done", stage: "compute", seconds: (performance.now() - started) / 1000 });
    run.observe({
      kind: "tile-done",
      sweep: run.index,
      pixels: task.core.width * task.core.height,
      busySeconds,
    });
    return { task, outputs };
  };

  const storing = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const { task, outputs } of readAhead(tasks, { depth: readDepth + computeDepth, start: compute })) {
    run.signal?.throwIfAborted();
    for (const [id, statistic] of readStatistics(sweep, outputs, task.regions)) {
      const before = statistics.get(id);
      statistics.set(id, before === undefined ? statistic : mergeStatistics(before, statistic));
    }
    for (const request of sweep.maps) {
      const values = readMap(request, outputs);
      const range = ranges.get(request.id);
      ranges.set(request.id, {
        min: Math.min(range?.min ?? Infinity, values.low),
        max: Math.max(range?.max ?? -Infinity, values.high),
      });
      const writing: Promise<void> = run
        .store(task.tile, request.id, values, task.core)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => storing.delete(writing));
      storing.add(writing);
    }
    if (storing.size > computeDepth * sweep.maps.length) await Promise.race(storing);
    if (failures.length > 0) break;
  }
  await Promise.all(storing);
  if (failures.length > 0) throw failures[0];
  return { statistics, ranges };
}

/** Both results; the first failure once both have ended, so that nothing runs on behind the caller's back. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}

function planTiles(run: SweepRun, sweep: Sweep): readonly TileTask[] {
  // Once for all tiles: the flipped kernels of a gradient are the same everywhere.
  const restriction = prepareRestriction(foldConstants(graphOf(sweepOutputs(sweep))).outputs);
  return run.tissue.tiles.map((tile) => {
    const core = coreOf(run.grid, tile);
    const regions = sweepRegions(sweep, regionOf(core));
    return { tile, core, regions, plan: restriction.plan(regions) };
  });
}

async function readInputs(
  run: SweepRun,
  task: TileTask,
  globals: ReadonlyMap<string, Float64Array>,
): Promise<Record<string, Tensor>> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, region] of Object.entries(task.plan.inputRegions)) {
    const rectangle = rectangleOf(region);
    if (name === run.plan.network.image.name) {
      const started = performance.now();
      const pixels = await run.read(rectangle, { signal: run.signal });
      run.observe({ kind: "stage-done", stage: "read", seconds: (performance.now() - started) / 1000 });
      await run.see?.(task.core, rectangle, pixels);
      const shape = [rectangle.height, rectangle.width, 3];
      inputs[name] =
        pixels.samples === "uint8"
          ? { type: "uint8", shape, data: pixels.data }
          : { type: "uint16", shape, data: pixels.data };
    } else {
      const stride = strideOfKept(run.plan, name);
      inputs[name] = float32([1, 1, rectangle.height, rectangle.width], run.tissue.mask(rectangle, stride));
    }
  }
  for (const [name, start] of Object.entries(task.plan.origins)) inputs[name] = float32([1], [start]);
  for (const [name, values] of globals) inputs[name] = float32([1, values.length, 1, 1], Float32Array.from(values));
  return inputs;
}

function strideOfKept(plan: SweepPlan, name: string): readonly [number, number] {
  return at(plan.network.pools, Number(name.slice("kept.".length))).stride;
}

/**
 * Tiles of one kind, one after the other: a program's memory is touched once, however many programs there are, and
 * given back before the next one's. In the order of first appearance, which the grid alone decides.
 */
function byKind(tasks: readonly TileTask[]): {
  readonly tasks: readonly TileTask[];
  readonly frequent: string | undefined;
} {
  const kinds = new Map<string, TileTask[]>();
  for (const task of tasks) {
    const kind = kinds.get(task.plan.key) ?? [];
    kinds.set(task.plan.key, kind);
    kind.push(task);
  }
  const [frequent] = [...kinds].sort(([, a], [, b]) => b.length - a.length);
  return { tasks: [...kinds.values()].flat(), frequent: frequent?.[0] };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`Index ${index} is outside of ${items.length} items.`);
  return item;
}

import type { Engine, Precision } from "../engine/engine.ts";
import type { StatisticTable } from "../explain/explanation.ts";
import { ownedInputs } from "../explain/owned-cells.ts";
import { readMap, readStatistics, tileProgram } from "../explain/tile-program.ts";
import type { MapSamples } from "../explain/tile-program.ts";
import type { TileResult } from "../format/output/shard-file.ts";
import type { ThumbnailPart, ThumbnailScale } from "../format/output/thumbnail.ts";
import type { ReadTile, TileRequest } from "../format/readers/tiled-image.ts";
import { rectangleOf, regionOf } from "../geometry/rectangle.ts";
import { optimise } from "../graph/optimise.ts";
import { float32 } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import { allOrFirstFailure } from "../io/all-or-first-failure.ts";
import type { Abortable } from "../io/byte-source.ts";
import { giveBuffers } from "../io/used-buffers.ts";
import type { Observe } from "./events.ts";
import type { ProgramCache, ProgramRequest } from "./program-cache.ts";
import { readAhead } from "./read-ahead.ts";
import { mostFrequentKind, planTasks, strideOfKept } from "./tiles/tile-tasks.ts";
import type { TiledSweep, TileTask } from "./tiles/tile-tasks.ts";

/** Tiles that are read while others compute, and tiles that the engine is given at once so that it never waits. */
const readDepth = 3;
const computeDepth = 2;

export interface TileSweep extends TiledSweep, Abortable {
  /** The tiles to visit, in this order; `tileOrder` gives a good one. */
  readonly tiles: readonly number[];
  readonly samples: MapSamples;
  readonly precision: Precision;
  /** Bytes of values above which some are computed again rather than kept; `undefined` keeps all. */
  readonly recomputeAbove: number | undefined;
  /** As the engine wants it. */
  readonly composition: Engine["composition"];
  readonly programs: ProgramCache;
  /** Prefix of program keys: names the model, image size, method and target. */
  readonly programKey: string;
  readonly observe: Observe;
  readonly read: (tile: Omit<TileRequest, "level">, options: Abortable) => Promise<ReadTile>;
  /** How the picture of previews is made of the tiles' pixels; none is made where absent. */
  readonly thumbnail?: ThumbnailScale;
}

interface TileInputs {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly thumbnail: ThumbnailPart | undefined;
}

/**
 * Visits tiles: what each of them gives, in the order that was asked for, while those after it are read and computed. The maps'
 * buffers are the caller's, who may give them away (`giveBuffers`).
 * @throws What reading or the engine throws; the signal's reason.
 */
export async function* sweepTiles(run: TileSweep, known: StatisticTable): AsyncGenerator<TileResult> {
  const globals = run.plan.globals(known);
  const tasks = planTasks(run, run.tiles);
  const frequent = mostFrequentKind(tasks);

  let first: Promise<unknown> | undefined;
  /** The first tile by itself, which the engine waits for; all others at once. */
  const read = (task: TileTask): Promise<TileInputs> => {
    const inputs =
      first === undefined ? readInputs(run, task, globals) : first.then(() => readInputs(run, task, globals));
    // Whoever computes it meets the failure.
    first ??= inputs.catch(() => undefined);
    return inputs;
  };

  const compute = async (task: TileTask): Promise<TileResult> => {
    const { tile, core, window, ownership, sweep, regions, plan, kind } = task;
    // A program is compiled while its first tile is read.
    const reading = read(task);
    const request: ProgramRequest = {
      key: `${run.programKey}/sweep${run.index}/${run.samples}/${run.precision}/${kind}`,
      label: `sweep ${run.index + 1}, tile ${tile}`,
      frequent: kind === frequent,
      ofAnySize: run.grid.window !== undefined && run.grid.window.size === undefined,
      precision: run.precision,
      build: () => tileProgram(sweep, plan.build(), { samples: run.samples, ownership }),
      optimise: (graph) =>
        optimise(graph, {
          foldScales: run.precision === "float32",
          composition: run.composition,
          ...(run.recomputeAbove === undefined ? {} : { memoryBytes: run.recomputeAbove }),
        }),
    };
    const computing = run.programs.use(request, async (compiling): Promise<TileResult> => {
      const [{ inputs, thumbnail }, program] = await allOrFirstFailure([reading, compiling]);
      const names = new Set(program.inputs);
      const given = Object.fromEntries(Object.entries(inputs).filter(([name]) => names.has(name)));
      const started = performance.now();
      const { outputs, spent = {}, busySeconds } = await program.run(given, { signal: run.signal });
      giveBuffers(Object.values(spent));
      run.observe({ kind: "stage-done", stage: "compute", seconds: (performance.now() - started) / 1000 });
      run.observe({ kind: "tile-done", sweep: run.index, pixels: core.width * core.height, busySeconds });
      return {
        tile,
        core,
        statistics: readStatistics(sweep, outputs, regions),
        maps: new Map(sweep.maps.map((request) => [request.id, readMap(request, outputs)] as const)),
        window,
        ...(thumbnail === undefined ? {} : { thumbnail }),
      };
    });
    const [result] = await allOrFirstFailure([computing, reading]);
    return result;
  };

  for await (const result of readAhead(tasks, { depth: readDepth + computeDepth, start: compute })) {
    run.signal?.throwIfAborted();
    yield result;
  }
}

async function readInputs(
  run: TileSweep,
  task: TileTask,
  globals: ReadonlyMap<string, Float64Array>,
): Promise<TileInputs> {
  const inputs: Record<string, Tensor> = {};
  let thumbnail: ThumbnailPart | undefined;
  for (const [name, region] of Object.entries(task.plan.inputRegions)) {
    const rectangle = rectangleOf(region);
    if (name === run.plan.network.image.name) {
      const started = performance.now();
      const scale = run.thumbnail;
      const request = { rectangle, thumbnail: scale && { core: task.core, scale } };
      const read = await run.read(request, { signal: run.signal });
      run.observe({ kind: "stage-done", stage: "read", seconds: (performance.now() - started) / 1000 });
      thumbnail = read.thumbnail;
      const { pixels } = read;
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
  const { window, core, ownership } = task;
  if (ownership !== undefined) {
    const owned = { window: regionOf(window), core: regionOf(core), ownership, kept: run.tissue.mask };
    Object.assign(inputs, ownedInputs(task.sweep, owned));
  }
  for (const [name, start] of Object.entries(task.plan.origins)) inputs[name] = float32([1], [start]);
  for (const [name, values] of globals) inputs[name] = float32([1, values.length, 1, 1], Float32Array.from(values));
  return { inputs, thumbnail };
}

import { coreOf, tileCount, windowOf } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { regionOf, rectangleOf } from "../geometry/rectangle.ts";
import type { Rectangle, Region } from "../geometry/rectangle.ts";
import { evaluate } from "../graph/reference.ts";
import type { ReferenceTensor } from "../graph/reference.ts";
import { prepareRestriction } from "../graph/restrict.ts";
import { tensorOf } from "../graph/tensor.ts";
import type { Network } from "../model/network.ts";
import type { Explanation, Outcome, StatisticTable, SweepPlan } from "./explanation.ts";
import { ownedInputs, ownershipByPlace } from "./owned-cells.ts";
import type { Ownership, Stride } from "./owned-cells.ts";
import { mergeStatistics } from "./statistics.ts";
import { readStatistics, sweepOutputs, sweepRegions, tileProgram } from "./tile-program.ts";

/** A map in float64, row-major, of the image's size, and what was explained. */
export interface ReferenceExplanation {
  readonly map: Float64Array;
  readonly outcome: Outcome;
  readonly sweeps: number;
}

/** What is pooled when not every tile is: 1 at each kept pixel of the network's image, and the kept tiles. */
export interface KeptPixels {
  readonly values: Uint8Array;
  readonly tiles: readonly number[];
}

/**
 * Explains an image in the slow, exact float64 evaluator, tile by tile: what every engine is measured against.
 * `pixels` are interleaved RGB of the size of the network's image, in the units of its image input.
 */
export function explainByReference(
  explanation: Explanation,
  pixels: ArrayLike<number>,
  grid: TileGrid,
  kept?: KeptPixels,
): ReferenceExplanation {
  const { statistics, maps } = sweepByReference(explanation, pixels, grid, kept);
  const outcome = explanation.outcome(statistics);
  const map = maps.get(outcome.map);
  if (map === undefined) throw new RangeError(`No map "${outcome.map}" was computed.`);
  return { map, outcome, sweeps: explanation.sweeps.length };
}

/** All sweeps of a plan in the float64 evaluator: the statistics, and every map by its id, row-major, of the image's size. */
export function sweepByReference(
  explanation: SweepPlan,
  pixels: ArrayLike<number>,
  grid: TileGrid,
  kept?: KeptPixels,
): { readonly statistics: StatisticTable; readonly maps: ReadonlyMap<string, Float64Array> } {
  const { width } = explanation.network.size;
  const { image } = grid;
  let statistics: StatisticTable = new Map();
  const maps = new Map<string, Float64Array>();
  for (const sweep of explanation.sweeps) {
    const merged = new Map(statistics);
    const restriction = prepareRestriction(sweepOutputs(sweep));
    const globals = explanation.globals(statistics);
    for (const tile of kept?.tiles ?? Array.from({ length: tileCount(grid) }, (_, index) => index)) {
      const [core, window] = [coreOf(grid, tile), windowOf(grid, tile)];
      const ownership = ownershipOf(grid, tile, { network: explanation.network, kept });
      const regions = sweepRegions(sweep, regionOf(window));
      const plan = restriction.plan(regions);
      const graph = tileProgram(sweep, plan.build(), { samples: "float32", ownership });
      const owned =
        ownership === undefined
          ? {}
          : ownedInputs(sweep, {
              window: regionOf(window),
              core: regionOf(core),
              ownership,
              kept: (cells, stride) => keptCells(kept?.values ?? [], { width, cells, stride }),
            });
      const inputs: Record<string, ReferenceTensor> = {};
      for (const node of graph.inputs) {
        const region = plan.inputRegions[node.name];
        const origin = plan.origins[node.name];
        const vector = globals.get(node.name) ?? owned[node.name]?.data;
        if (region !== undefined) {
          const isImage = node.name === explanation.network.image.name;
          const data = isImage ? crop(pixels, width, region, 3) : crop(kept?.values ?? [], width, region, 1);
          inputs[node.name] = { shape: node.shape, data };
        } else if (origin !== undefined) inputs[node.name] = { shape: node.shape, data: Float64Array.of(origin) };
        else if (vector !== undefined)
          inputs[node.name] = { shape: node.shape, data: Float64Array.from(vector, Number) };
      }
      const values = evaluate(graph, inputs);
      const outputs = Object.fromEntries(
        Object.entries(values).map(([name, { shape, data }]) => [name, tensorOf("float64", shape, data)]),
      );
      for (const [id, statistic] of readStatistics(sweep, outputs, regions)) {
        const before = merged.get(id);
        merged.set(id, before === undefined ? statistic : mergeStatistics(before, statistic));
      }
      for (const request of sweep.maps) {
        const map = maps.get(request.id) ?? new Float64Array(image.width * image.height);
        maps.set(request.id, map);
        const data = values[`${request.id}.map`]?.data ?? new Float64Array();
        for (let row = core.y; row < core.y + core.height; row += 1) {
          const from = (row - window.y) * window.width + core.x - window.x;
          map.set(data.subarray(from, from + core.width), row * image.width + core.x);
        }
      }
    }
    statistics = merged;
  }
  return { statistics, maps };
}

/** Told one by one where not all of the core is kept. */
function ownershipOf(
  grid: TileGrid,
  tile: number,
  { network, kept }: { readonly network: Network; readonly kept: KeptPixels | undefined },
): Ownership | undefined {
  if (kept !== undefined && crop(kept.values, network.size.width, regionOf(coreOf(grid, tile)), 1).includes(0))
    return { kind: "one-by-one" };
  return ownershipByPlace(grid, tile, network);
}

/** A cell is kept where its first pixel is. */
function keptCells(
  values: ArrayLike<number>,
  {
    width,
    cells,
    stride: [down, across],
  }: { readonly width: number; readonly cells: Rectangle; readonly stride: Stride },
): Float32Array {
  return Float32Array.from({ length: cells.width * cells.height }, (_, index) => {
    const [row, column] = [cells.y + Math.floor(index / cells.width), cells.x + (index % cells.width)];
    return column * across < width ? (values[row * down * width + column * across] ?? 0) : 0;
  });
}

function crop(values: ArrayLike<number>, width: number, region: Region, channels: 1 | 3): Float64Array {
  const area = rectangleOf(region);
  const part = new Float64Array(area.width * area.height * channels);
  for (let row = 0; row < area.height; row += 1) {
    const from = ((area.y + row) * width + area.x) * channels;
    for (let i = 0; i < area.width * channels; i += 1)
      part[row * area.width * channels + i] = values[from + i] ?? Number.NaN;
  }
  return part;
}

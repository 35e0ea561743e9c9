import { SlidelightError } from "../errors/slidelight-error.ts";
import type { Region } from "../geometry/rectangle.ts";
import {
  argMax,
  cast,
  clip,
  div,
  exp,
  maximum,
  mul,
  reduceMax,
  reduceMin,
  reduceSum,
  reshape,
  round,
  scalarConstant,
  sub,
} from "../graph/build.ts";
import type { Graph } from "../graph/graph.ts";
import { graphOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { elementsOf } from "../graph/tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { MapRequest, StatisticRequest, Sweep } from "./explanation.ts";
import { boundedAbove, boundedBelow, cellsOf, onePixel, ownedCells, ownRowSums } from "./owned-cells.ts";
import type { OwnedCells, Ownership, Stride } from "./owned-cells.ts";
import type { Statistic, StatisticKind } from "./statistics.ts";

/** How a tile's map leaves the engine: 16 bits between the tile's own minimum and maximum, or as it is. */
export type MapSamples = "uint16" | "float32";

/** A tile of a map: value = low + sample / 65535 * (high - low) for uint16 samples. */
export type MapTile = { readonly low: number; readonly high: number } & (
  | { readonly samples: "uint16"; readonly data: Uint16Array }
  | { readonly samples: "float32"; readonly data: Float32Array }
);

/** The whole-image values that a tile of this sweep computes a part of, by name. */
export function sweepOutputs(sweep: Sweep): Readonly<Record<string, Node>> {
  return Object.fromEntries([
    ...sweep.statistics.map(({ id, of }) => [id, of] as const),
    ...sweep.maps.map(({ id, node }) => [id, node] as const),
  ]);
}

/** The part of each of those values that belongs to a tile's core: every cell of the image has one owner. */
export function sweepRegions(sweep: Sweep, core: Region): Readonly<Record<string, Region>> {
  const cells = (stride: Stride): Region => ({
    y: cellsOf(core.y, stride[0]),
    x: cellsOf(core.x, stride[1]),
  });
  return Object.fromEntries([
    ...sweep.statistics.map(({ id, stride }) => [id, cells(stride)] as const),
    ...sweep.maps.map(({ id }) => [id, core] as const),
  ]);
}

export interface TileProgramOptions {
  readonly samples: MapSamples;
  /**
   * Which cells are the tile's own, where it computes others too: then Inputs say it (`ownedInputs`). Others enter neither statistics nor a map's range; what the map holds there
   * means nothing. Default: all are.
   */
  readonly ownership?: Ownership | undefined;
}

/** Reduces a tile's values to its statistics and quantises its maps, inside the graph: pixels never reach JavaScript. */
export function tileProgram(sweep: Sweep, restricted: Graph, { samples, ownership }: TileProgramOptions): Graph {
  const value = (id: string): Node => {
    const node = restricted.outputs[id];
    if (node === undefined) throw new RangeError(`The tile's graph has no output "${id}".`);
    return node;
  };
  const cells = ownership === undefined ? undefined : ownedCells(ownership);
  const ownedOf = (node: Node, stride: Stride): OwnedCells | undefined => cells?.(node, stride);
  return graphOf({
    ...Object.assign(
      {},
      ...sweep.statistics.map(({ id, kind, stride }) => {
        return reductions[kind](id, value(id), ownedOf(value(id), stride));
      }),
    ),
    ...Object.assign(
      {},
      ...sweep.maps.map(({ id }) => mapOutputs(id, value(id), samples, ownedOf(value(id), onePixel))),
    ),
  });
}

type Outputs = Readonly<Record<string, Node>>;
/**
 * Rows are summed in the engine, and the rows' sums outside of it in float64 (`sumOfRows`): wide where many values meet,
 * also in engines that have no float64.
 */
function rowSums(x: Node): Node {
  return reduceSum(x, [3]);
}

const reductions: { readonly [K in StatisticKind]: (id: string, x: Node, owned: OwnedCells | undefined) => Outputs } = {
  sum: (id, x, owned) => ({ [`${id}.rows`]: owned === undefined ? rowSums(x) : ownRowSums(x, owned) }),
  max: (id, whole, owned) => {
    const x = boundedAbove(whole, owned);
    const [, channels = 0, rows = 0, columns = 0] = x.shape;
    return { [`${id}.max`]: reduceMax(x, [2, 3]), [`${id}.index`]: argMax(reshape(x, [channels, rows * columns]), 1) };
  },
  "log-sum-exp": (id, whole, owned) => {
    const x = boundedAbove(whole, owned);
    const max = reduceMax(x, [2, 3]);
    return { [`${id}.max`]: max, [`${id}.rows`]: rowSums(exp(sub(x, max))) };
  },
};

/** Keeps the division finite where a tile is constant. */
const smallestRange = 1e-30;

function mapOutputs(id: string, map: Node, samples: MapSamples, owned: OwnedCells | undefined): Outputs {
  const [, , rows = 0, columns = 0] = map.shape;
  const low = reduceMin(boundedBelow(map, owned), [2, 3]);
  const high = reduceMax(boundedAbove(map, owned), [2, 3]);
  const range = { [`${id}.low`]: reshape(low, [1]), [`${id}.high`]: reshape(high, [1]) };
  if (samples === "float32") return { ...range, [`${id}.map`]: reshape(map, [rows, columns]) };
  const share = div(sub(map, low), maximum(sub(high, low), scalarConstant(smallestRange)));
  // What is not the tile's own may lie outside of its range.
  const unit = owned === undefined ? share : clip(share, { min: 0, max: 1 });
  const quantised = cast(round(mul(unit, scalarConstant(65535))), "uint16");
  return { ...range, [`${id}.map`]: reshape(quantised, [rows, columns]) };
}

/** A tile's contribution to each statistic of the sweep, positions counted in the whole image. */
export function readStatistics(
  sweep: Sweep,
  outputs: Readonly<Record<string, Tensor>>,
  regions: Readonly<Record<string, Region>>,
): ReadonlyMap<string, Statistic> {
  return new Map(sweep.statistics.map((request) => [request.id, readers[request.kind](request, outputs, regions)]));
}

type Read<T> = (
  request: StatisticRequest,
  outputs: Readonly<Record<string, Tensor>>,
  regions: Readonly<Record<string, Region>>,
) => T;

const readers: { readonly [K in StatisticKind]: Read<Statistic> } = {
  sum: ({ id }, outputs) => ({ kind: "sum", sum: sumOfRows(outputs, id) }),
  max: ({ id }, outputs, regions) => {
    const region = regions[id];
    if (region === undefined) throw new RangeError(`The tile has no region of "${id}".`);
    const columns = region.x.end - region.x.start;
    const index = numbers(outputs, `${id}.index`);
    return {
      kind: "max",
      max: numbers(outputs, `${id}.max`),
      row: index.map((position) => region.y.start + Math.floor(position / columns)),
      column: index.map((position) => region.x.start + (position % columns)),
    };
  },
  "log-sum-exp": ({ id }, outputs) => ({
    kind: "log-sum-exp",
    max: numbers(outputs, `${id}.max`),
    scaled: sumOfRows(outputs, id),
  }),
};

/**
 * A tile of a map from the engine's outputs.
 * @throws {SlidelightError} `model-overflow` when the map holds values that are not finite.
 */
export function readMap(request: MapRequest, outputs: Readonly<Record<string, Tensor>>): MapTile {
  const [low = Number.NaN] = numbers(outputs, `${request.id}.low`);
  const [high = Number.NaN] = numbers(outputs, `${request.id}.high`);
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw new SlidelightError(
      "model-overflow",
      `Computing the map: expected finite values, got ${low} to ${high}. The network overflows on this image: check its weights and pre-processing (--mean, --std).`,
    );
  }
  const tensor = outputs[`${request.id}.map`];
  if (tensor?.type === "uint16") return { low, high, samples: "uint16", data: tensor.data };
  if (tensor?.type === "float32") return { low, high, samples: "float32", data: tensor.data };
  throw new RangeError(`The engine gave no map "${request.id}".`);
}

/** [1, C, h, 1] in float32 to the C sums over h in float64. */
function sumOfRows(outputs: Readonly<Record<string, Tensor>>, id: string): Float64Array {
  const [, channels = 0, rows = 0] = outputs[`${id}.rows`]?.shape ?? [];
  const values = numbers(outputs, `${id}.rows`);
  const sums = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel += 1) {
    let sum = 0;
    for (let row = channel * rows; row < (channel + 1) * rows; row += 1) sum += values[row] ?? Number.NaN;
    sums[channel] = sum;
  }
  return sums;
}

function numbers(outputs: Readonly<Record<string, Tensor>>, name: string): Float64Array {
  const tensor = outputs[name];
  if (tensor === undefined) throw new RangeError(`The engine gave no output "${name}".`);
  return elementsOf(tensor);
}

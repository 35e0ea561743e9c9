import type { Interval } from "../geometry/interval.ts";
import type { Region } from "../geometry/rectangle.ts";
import { input, maximum, minimum, mul, reduceSum, scalarConstant, sliceAxis, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import type { Sweep } from "./explanation.ts";

/** Image pixels for each cell: vertical, horizontal. */
export type Stride = readonly [number, number];
export const onePixel: Stride = [1, 1];

/** What an Input says of cells of one stride. */
type About = "owned.rows" | "owned.columns" | "foreign.columns";

const nameOf = (about: About, stride: number): string => `${about}.${stride}`;

/** Inputs that say which cells of a value are the tile's own: 1 for those, 0 for others. */
export interface OwnedCells {
  /** [1, 1, h, 1] */
  readonly rows: Node;
  /** [1, 1, 1, w] */
  readonly columns: Node;
  /** [1, 1, 1, k], where no others may be foreign than the last k columns: 1 for those that are not the tile's own. */
  readonly foreignColumns: Node | undefined;
}

/**
 * Makes what says of a value which cells are the tile's own; values of one stride have the same Inputs.
 * @param foreignPixels How many pixels of the last rows and columns may not be the tile's own; Infinity: any may be.
 */
export function ownedCells(foreignPixels: number): (node: Node, stride: Stride) => OwnedCells {
  const inputs = new Map<string, Node>();
  const inputOf = (about: About, stride: number, shape: Shape): Node => {
    const name = nameOf(about, stride);
    // How many columns may be foreign does not depend on the tile's size.
    const spatial = about === "foreign.columns" ? {} : { spatial: [2, 3] as const };
    const node = inputs.get(name) ?? input(name, { type: "float32", shape, ...spatial });
    inputs.set(name, node);
    return node;
  };
  return ({ shape }, [down, across]) => {
    const [, , rows = 0, columns = 0] = shape;
    const foreign = Math.ceil(foreignPixels / across);
    return {
      rows: inputOf("owned.rows", down, [1, 1, rows, 1]),
      columns: inputOf("owned.columns", across, [1, 1, 1, columns]),
      foreignColumns: foreign < columns ? inputOf("foreign.columns", across, [1, 1, 1, foreign]) : undefined,
    };
  };
}

/**
 * The sums of the rows' own cells, [1, C, h, 1]. Where only the last columns may be others', what those sum up to is taken away, which leaves the value as it is: to mask all of it
 * takes as long as to write it once more.
 */
export function ownRowSums(x: Node, { rows, columns, foreignColumns }: OwnedCells): Node {
  if (foreignColumns === undefined) return mul(reduceSum(mul(x, columns), [3]), rows);
  const [width = 0, size = 0] = [x.shape[3], foreignColumns.shape[3]];
  const last = sliceAxis(x, { axis: 3, start: width - size, size });
  return mul(sub(reduceSum(x, [3]), reduceSum(mul(last, foreignColumns), [3])), rows);
}

/** What those Inputs are for a tile that computes `window` and owns `core`, both in pixels. */
export function ownedInputs(
  sweep: Sweep,
  { window, core, foreignPixels }: { readonly window: Region; readonly core: Region; readonly foreignPixels: number },
): Readonly<Record<string, Tensor>> {
  const inputs: Record<string, Tensor> = {};
  for (const [down, across] of [onePixel, ...sweep.statistics.map(({ stride }) => stride)]) {
    const [rows, columns] = [ownedAlong(window.y, core.y, down), ownedAlong(window.x, core.x, across)];
    inputs[nameOf("owned.rows", down)] = float32([1, 1, rows.length, 1], rows);
    inputs[nameOf("owned.columns", across)] = float32([1, 1, 1, columns.length], columns);
    const foreign = columns.slice(-Math.ceil(foreignPixels / across)).map((own) => 1 - own);
    inputs[nameOf("foreign.columns", across)] = float32([1, 1, 1, foreign.length], foreign);
  }
  return inputs;
}

/** 1 for each cell of an interval of pixels that is in the tile's own, 0 for others. */
function ownedAlong(all: Interval, own: Interval, stride: number): Float32Array {
  const [cells, mine] = [cellsOf(all, stride), cellsOf(own, stride)];
  return Float32Array.from({ length: cells.end - cells.start }, (_, index) => {
    const cell = cells.start + index;
    return cell >= mine.start && cell < mine.end ? 1 : 0;
  });
}

/** The value where a cell is the tile's own, and what no maximum is elsewhere. */
export function boundedAbove(x: Node, owned: OwnedCells | undefined): Node {
  if (owned === undefined) return x;
  return minimum(minimum(x, boundOf(owned.rows)), boundOf(owned.columns));
}

/** The value where a cell is the tile's own, and what no minimum is elsewhere. */
export function boundedBelow(x: Node, owned: OwnedCells | undefined): Node {
  if (owned === undefined) return x;
  const below = (cells: Node): Node => mul(boundOf(cells), scalarConstant(-1));
  return maximum(maximum(x, below(owned.rows)), below(owned.columns));
}

const largestFinite = 3.4e38;

/** The largest number where a cell is the tile's own, the lowest one elsewhere. */
function boundOf(cells: Node): Node {
  return mul(sub(mul(cells, scalarConstant(2)), scalarConstant(1)), scalarConstant(largestFinite));
}

/** The cells of this stride that belong to an interval of pixels: every cell of the image has one owner. */
export function cellsOf({ start, end }: Interval, stride: number): Interval {
  return { start: Math.ceil(start / stride), end: Math.ceil(end / stride) };
}

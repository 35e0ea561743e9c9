import type { Interval } from "../geometry/interval.ts";
import { rectangleOf } from "../geometry/rectangle.ts";
import type { Rectangle, Region } from "../geometry/rectangle.ts";
import { foreignPixels } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { input, maximum, minimum, mul, reduceSum, scalarConstant, sliceAxis, sub } from "../graph/build.ts";
import type { Node } from "../graph/node.ts";
import { float32 } from "../graph/tensor.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import type { Sweep } from "./explanation.ts";

/** Image pixels for each cell: vertical, horizontal. */
export type Stride = readonly [number, number];
export const onePixel: Stride = [1, 1];

/**
 * Which of a tile's cells are its own, where its program can't take that for granted: those of its first rows and columns but for some of the last (`foreignPixels`, in pixels;
 * Infinity: any may be others'), or any at all, one by one, as where parts of the image are left out.
 */
export type Ownership =
  | { readonly kind: "rows-and-columns"; readonly foreignPixels: number }
  | { readonly kind: "one-by-one" };

/** Of a tile of which nothing is left out: `undefined` where it computes its core alone. */
export function ownershipByPlace(
  grid: TileGrid,
  tile: number,
  network: { readonly stride: number },
): Ownership | undefined {
  const foreign = foreignPixels(grid, tile, network);
  return foreign > 0 ? { kind: "rows-and-columns", foreignPixels: foreign } : undefined;
}

/** What an Input says of cells of one stride. */
type About = "owned.rows" | "owned.columns" | "foreign.columns";

const nameOf = (about: About, stride: number): string => `${about}.${stride}`;
const nameOfCells = ([down, across]: Stride): string => `owned.cells.${down}x${across}`;

/** Inputs that say which cells of a value are the tile's own: 1 for those, 0 for others. */
export type OwnedCells =
  /** [1, 1, h, w] */
  { readonly kind: "one-by-one"; readonly cells: Node } | OwnedRowsAndColumns;

interface OwnedRowsAndColumns {
  readonly kind: "rows-and-columns";
  /** [1, 1, h, 1] */
  readonly rows: Node;
  /** [1, 1, 1, w] */
  readonly columns: Node;
  /** [1, 1, 1, k], where no others may be foreign than the last k columns: 1 for those that are not the tile's own. */
  readonly foreignColumns: Node | undefined;
}

/** Makes what says of a value which cells are the tile's own; values of one stride have the same Inputs. */
export function ownedCells(ownership: Ownership): (node: Node, stride: Stride) => OwnedCells {
  const inputs = new Map<string, Node>();
  const inputOf = (name: string, shape: Shape, spatial: readonly [2, 3] | undefined): Node => {
    const node = inputs.get(name) ?? input(name, { type: "float32", shape, ...(spatial && { spatial }) });
    inputs.set(name, node);
    return node;
  };
  return ({ shape }, stride) => {
    const [, , rows = 0, columns = 0] = shape;
    if (ownership.kind === "one-by-one") {
      return { kind: "one-by-one", cells: inputOf(nameOfCells(stride), [1, 1, rows, columns], [2, 3]) };
    }
    const [down, across] = stride;
    const foreign = Math.ceil(ownership.foreignPixels / across);
    return {
      kind: "rows-and-columns",
      rows: inputOf(nameOf("owned.rows", down), [1, 1, rows, 1], [2, 3]),
      columns: inputOf(nameOf("owned.columns", across), [1, 1, 1, columns], [2, 3]),
      foreignColumns:
        foreign < columns
          ? // How many columns may be foreign does not depend on the tile's size.
            inputOf(nameOf("foreign.columns", across), [1, 1, 1, foreign], undefined)
          : undefined,
    };
  };
}

/**
 * The sums of the rows' own cells, [1, C, h, 1]. Where only the last columns may be others', what those sum up to is taken away, which leaves the value as it is: to mask all of it
 * takes as long as to write it once more.
 */
export function ownRowSums(x: Node, owned: OwnedCells): Node {
  if (owned.kind === "one-by-one") return reduceSum(mul(x, owned.cells), [3]);
  const { rows, columns, foreignColumns } = owned;
  if (foreignColumns === undefined) return mul(reduceSum(mul(x, columns), [3]), rows);
  const [width = 0, size = 0] = [x.shape[3], foreignColumns.shape[3]];
  const last = sliceAxis(x, { axis: 3, start: width - size, size });
  return mul(sub(reduceSum(x, [3]), reduceSum(mul(last, foreignColumns), [3])), rows);
}

export interface OwnedPixels {
  /** What the tile computes, in pixels. */
  readonly window: Region;
  /** What it owns of that, in pixels. */
  readonly core: Region;
  readonly ownership: Ownership;
  /** 1 where a cell of this stride is kept, else 0, row-major; the rectangle is in cells. */
  readonly kept: (rectangle: Rectangle, stride: Stride) => Float32Array;
}

/** What those Inputs are for a tile. */
export function ownedInputs(
  sweep: Sweep,
  { window, core, ownership, kept }: OwnedPixels,
): Readonly<Record<string, Tensor>> {
  const inputs: Record<string, Tensor> = {};
  for (const stride of stridesOf(sweep)) {
    const [down, across] = stride;
    const [rows, columns] = [ownedAlong(window.y, core.y, down), ownedAlong(window.x, core.x, across)];
    if (ownership.kind === "one-by-one") {
      const region = { y: cellsOf(window.y, down), x: cellsOf(window.x, across) };
      const cells = kept(rectangleOf(region), stride);
      keepOwn(cells, rows, columns);
      inputs[nameOfCells(stride)] = float32([1, 1, rows.length, columns.length], cells);
      continue;
    }
    inputs[nameOf("owned.rows", down)] = float32([1, 1, rows.length, 1], rows);
    inputs[nameOf("owned.columns", across)] = float32([1, 1, 1, columns.length], columns);
    const foreign = columns.slice(-Math.ceil(ownership.foreignPixels / across)).map((own) => 1 - own);
    inputs[nameOf("foreign.columns", across)] = float32([1, 1, 1, foreign.length], foreign);
  }
  return inputs;
}

/** Of everything that a tile's own cells are asked for, each once: what says it cell by cell is as large as the tile. */
function stridesOf({ statistics, maps }: Sweep): Iterable<Stride> {
  const strides = [...(maps.length > 0 ? [onePixel] : []), ...statistics.map(({ stride }) => stride)];
  return new Map(strides.map((stride) => [stride.join(), stride] as const)).values();
}

/** Takes away what lies in rows and columns that are others'. */
function keepOwn(cells: Float32Array, rows: Float32Array, columns: Float32Array): void {
  const width = columns.length;
  const first = columns.indexOf(1);
  const end = columns.lastIndexOf(1) + 1;
  for (const [row, own] of rows.entries()) {
    const start = row * width;
    if (own === 0 || first < 0) {
      cells.fill(0, start, start + width);
      continue;
    }
    cells.fill(0, start, start + first);
    cells.fill(0, start + end, start + width);
  }
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
  return bounds(owned).reduce((bounded, cells) => minimum(bounded, boundOf(cells)), x);
}

/** The value where a cell is the tile's own, and what no minimum is elsewhere. */
export function boundedBelow(x: Node, owned: OwnedCells | undefined): Node {
  return bounds(owned).reduce((bounded, cells) => maximum(bounded, mul(boundOf(cells), scalarConstant(-1))), x);
}

/** What a value is bounded by, one after the other. */
function bounds(owned: OwnedCells | undefined): readonly Node[] {
  if (owned === undefined) return [];
  return owned.kind === "one-by-one" ? [owned.cells] : [owned.rows, owned.columns];
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

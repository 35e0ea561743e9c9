import type { Pixels } from "../../format/image.ts";
import type { Rectangle, Size } from "../../geometry/rectangle.ts";
import { coreOf, gridOfCores, tileCount } from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { takeBuffer } from "../../io/used-buffers.ts";

/** The parts of an image that are kept: blocks whose size nothing but the image decides, so that a result does not depend on the tiles. */
export interface KeptBlocks {
  /** Of every block but those at the right and bottom edge. */
  readonly block: Size;
  /** Indices of the kept blocks, row-major from 0, ascending. */
  readonly kept: readonly number[];
}

/** What is pooled and shown of an image, and which tiles have a part in it. */
export interface TissueMask extends KeptBlocks {
  /** Indices of the tiles that are computed, ascending: those with a kept block in their core. */
  readonly tiles: readonly number[];
  /** Whether every block is kept. */
  readonly complete: boolean;
  /** Cells of this stride that lie in kept blocks. */
  cells(stride: readonly [number, number]): number;
  /** 1 where a cell of this stride lies in a kept block, else 0, row-major; the rectangle is in cells, and may reach beyond the image. */
  mask(rectangle: Rectangle, stride: readonly [number, number]): Float32Array;
  /** Whether every cell of this stride in the rectangle, which is in cells, lies in a kept block. */
  keeps(rectangle: Rectangle, stride: readonly [number, number]): boolean;
  /** What is left out of the cores of tiles that are computed, in pixels. */
  leftOut(): readonly Rectangle[];
}

/** Keeps these blocks alone. */
export function tissueMask(grid: TileGrid, { block, kept: indices }: KeptBlocks): TissueMask {
  const blocks = gridOfCores(grid.image, block);
  const kept = new Set(indices);
  const keptAt = (row: number, column: number): boolean =>
    row >= 0 && column >= 0 && kept.has(row * blocks.columns + column);
  const tiles = tilesThatMeet(grid, blocks, indices);
  const cellsOf = (core: Rectangle, [vertical, horizontal]: readonly [number, number]): number =>
    (Math.ceil((core.x + core.width) / horizontal) - Math.ceil(core.x / horizontal)) *
    (Math.ceil((core.y + core.height) / vertical) - Math.ceil(core.y / vertical));
  return {
    block,
    kept: indices,
    tiles,
    complete: indices.length === tileCount(blocks),
    cells: (stride) => indices.reduce((sum, index) => sum + cellsOf(coreOf(blocks, index), stride), 0),
    mask: (rectangle, stride) => {
      const { width, height } = rectangle;
      const mask = new Float32Array(takeBuffer(width * height * Float32Array.BYTES_PER_ELEMENT));
      const { rows, columns } = blocksAt(blocks, rectangle, stride);
      for (const row of rows) {
        const start = row.first * width;
        for (const column of columns) {
          mask.fill(keptAt(row.block, column.block) ? 1 : 0, start + column.first, start + column.end);
        }
        // Its other rows of cells are copies of the first.
        for (let other = row.first + 1; other < row.end; other += 1)
          mask.copyWithin(other * width, start, start + width);
      }
      return mask;
    },
    keeps: (rectangle, stride) => {
      const { rows, columns } = blocksAt(blocks, rectangle, stride);
      return rows.every((row) => columns.every((column) => keptAt(row.block, column.block)));
    },
    leftOut: () =>
      tiles.flatMap((tile) => {
        const core = coreOf(grid, tile);
        return coresIn(blocks, core)
          .filter((index) => !kept.has(index))
          .map((index) => intersection(core, coreOf(blocks, index)));
      }),
  };
}

/** From the blocks, which are few, to the tiles, which may be half a million. */
function tilesThatMeet(grid: TileGrid, blocks: TileGrid, kept: readonly number[]): readonly number[] {
  const met = new Uint8Array(tileCount(grid));
  for (const index of kept) for (const tile of coresIn(grid, coreOf(blocks, index))) met[tile] = 1;
  const tiles: number[] = [];
  for (let tile = met.indexOf(1); tile >= 0; tile = met.indexOf(1, tile + 1)) tiles.push(tile);
  return tiles;
}

/** Indices of a grid's cores that a rectangle of pixels meets. */
function coresIn({ core, columns }: TileGrid, { x, y, width, height }: Rectangle): readonly number[] {
  const along = (start: number, length: number, side: number): readonly number[] => {
    const first = Math.floor(start / side);
    return Array.from({ length: Math.ceil((start + length) / side) - first }, (_, index) => first + index);
  };
  const across = along(x, width, core.width);
  return along(y, height, core.height).flatMap((row) => across.map((column) => row * columns + column));
}

function intersection(a: Rectangle, b: Rectangle): Rectangle {
  const [x, y] = [Math.max(a.x, b.x), Math.max(a.y, b.y)];
  return {
    x,
    y,
    width: Math.min(a.x + a.width, b.x + b.width) - x,
    height: Math.min(a.y + a.height, b.y + b.height) - y,
  };
}

/** Neighbouring rows or columns of cells that lie in the same blocks. */
interface CellRun {
  /** Row or column of blocks; -1 beyond the image. */
  readonly block: number;
  /** Counted from the rectangle's first. */
  readonly first: number;
  readonly end: number;
}

/** The rows and columns of blocks that a rectangle of cells lies in. */
function blocksAt(
  { image, core }: TileGrid,
  rectangle: Rectangle,
  [vertical, horizontal]: readonly [number, number],
): { readonly rows: readonly CellRun[]; readonly columns: readonly CellRun[] } {
  const along = (start: number, cells: number, stride: number, extent: number, side: number): readonly CellRun[] => {
    const runs: CellRun[] = [];
    for (let first = 0, end = 0; first < cells; first = end) {
      const pixel = (start + first) * stride;
      const inside = pixel >= 0 && pixel < extent;
      const block = inside ? Math.floor(pixel / side) : -1;
      const border = pixel < 0 ? 0 : inside ? Math.min((block + 1) * side, extent) : Infinity;
      end = Math.min(cells, Math.ceil(border / stride) - start);
      runs.push({ block, first, end });
    }
    return runs;
  };
  return {
    rows: along(rectangle.y, rectangle.height, vertical, image.height, core.height),
    columns: along(rectangle.x, rectangle.width, horizontal, image.width, core.width),
  };
}

/** Keeps everything. */
export function wholeImage(grid: TileGrid): TissueMask {
  return tissueMask(grid, { block: grid.image, kept: [0] });
}

/** Pixels of the image that are kept or left out together: some tens of thousands of blocks in the largest slide. */
const blockSide = 1024;

/**
 * The blocks in which the thumbnail shows tissue: colour, where glass is grey and bright. When it shows none at all, everything is
 * kept: a wrong guess must not lose an image.
 */
export function tissueBlocks(thumbnail: Pixels, image: Size): KeptBlocks {
  const tissue = saturatedPixels(thumbnail);
  const block = { width: blockSide, height: blockSide };
  const blocks = gridOfCores(image, block);
  const scaleX = thumbnail.width / image.width;
  const scaleY = thumbnail.height / image.height;
  const kept: number[] = [];
  for (let index = 0; index < tileCount(blocks); index += 1) {
    const core = coreOf(blocks, index);
    const left = Math.floor(core.x * scaleX);
    const top = Math.floor(core.y * scaleY);
    const right = Math.min(thumbnail.width, Math.ceil((core.x + core.width) * scaleX));
    const bottom = Math.min(thumbnail.height, Math.ceil((core.y + core.height) * scaleY));
    if (hasTissue(tissue, thumbnail.width, { x: left, y: top, width: right - left, height: bottom - top })) {
      kept.push(index);
    }
  }
  return kept.length === 0 ? { block: image, kept: [0] } : { block, kept };
}

/** Largest minus smallest channel, thresholded by Otsu's method (1979) within the bounds that stains allow. */
function saturatedPixels({ data, samples, width, height }: Pixels): Uint8Array {
  const shift = samples === "uint8" ? 1 : 257;
  const saturation = Uint8Array.from({ length: width * height }, (_, index) => {
    const [r = 0, g = 0, b = 0] = data.subarray(index * 3, index * 3 + 3);
    return Math.floor((Math.max(r, g, b) - Math.min(r, g, b)) / shift);
  });
  const threshold = Math.min(40, Math.max(8, otsu(saturation)));
  return saturation.map((value) => (value > threshold ? 1 : 0));
}

function otsu(values: Uint8Array): number {
  const histogram = new Float64Array(256);
  for (const value of values) histogram[value] = (histogram[value] ?? 0) + 1;
  const total = values.length;
  const sum = histogram.reduce((all, count, value) => all + count * value, 0);
  let [below, sumBelow, best, threshold] = [0, 0, -1, 0];
  histogram.forEach((count, value) => {
    below += count;
    sumBelow += count * value;
    const above = total - below;
    if (below === 0 || above === 0) return;
    const between = below * above * (sumBelow / below - (sum - sumBelow) / above) ** 2;
    if (between > best) [best, threshold] = [between, value];
  });
  return threshold;
}

const leastPixels = 3;

/** A speck of dust is no tissue: at least one pixel in 200, and not one or two alone. */
function hasTissue(tissue: Uint8Array, stride: number, area: Rectangle): boolean {
  let found = 0;
  for (let y = area.y; y < area.y + area.height; y += 1) {
    for (let x = area.x; x < area.x + area.width; x += 1) found += tissue[y * stride + x] ?? 0;
  }
  return found * 200 >= area.width * area.height && found >= leastPixels;
}

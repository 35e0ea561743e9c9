import type { Pixels } from "../../format/image.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { coreOf, tileCount } from "../../geometry/tile-grid.ts";
import type { TileGrid } from "../../geometry/tile-grid.ts";
import { takeBuffer } from "../../io/used-buffers.ts";

/** Which tiles are computed. Everything that is pooled lies in their cores. */
export interface TissueMask {
  /** Indices of the kept tiles, ascending. */
  readonly tiles: readonly number[];
  /** Whether every tile is kept. */
  readonly complete: boolean;
  /** Cells of this stride that lie in kept cores. */
  cells(stride: readonly [number, number]): number;
  /** 1 where a cell of this stride lies in a kept core, else 0, row-major; the rectangle is in cells, and may reach beyond the image. */
  mask(rectangle: Rectangle, stride: readonly [number, number]): Float32Array;
  /** Whether every cell of this stride in the rectangle, which is in cells, lies in a kept core. */
  keeps(rectangle: Rectangle, stride: readonly [number, number]): boolean;
}

/** Keeps these tiles alone; indices ascending. */
export function onlyTiles(grid: TileGrid, tiles: readonly number[]): TissueMask {
  const kept = new Set(tiles);
  const keptAt = (row: number, column: number): boolean =>
    row >= 0 && column >= 0 && kept.has(row * grid.columns + column);
  const cellsOf = (core: Rectangle, [vertical, horizontal]: readonly [number, number]): number =>
    (Math.ceil((core.x + core.width) / horizontal) - Math.ceil(core.x / horizontal)) *
    (Math.ceil((core.y + core.height) / vertical) - Math.ceil(core.y / vertical));
  return {
    tiles,
    complete: tiles.length === tileCount(grid),
    cells: (stride) => tiles.reduce((sum, tile) => sum + cellsOf(coreOf(grid, tile), stride), 0),
    mask: (rectangle, stride) => {
      const { width, height } = rectangle;
      const mask = new Float32Array(takeBuffer(width * height * Float32Array.BYTES_PER_ELEMENT));
      const { rows, columns } = tilesAt(grid, rectangle, stride);
      // Each row of tiles is drawn once; the other rows of its cells are copies.
      for (let row = 0, first = 0; row < height; row += 1) {
        const tileRow = rows[row] ?? -1;
        if (row > 0 && tileRow === rows[first]) {
          mask.copyWithin(row * width, first * width, (first + 1) * width);
          continue;
        }
        first = row;
        columns.forEach((tileColumn, column) => {
          mask[row * width + column] = keptAt(tileRow, tileColumn) ? 1 : 0;
        });
      }
      return mask;
    },
    keeps: (rectangle, stride) => {
      const { rows, columns } = tilesAt(grid, rectangle, stride);
      const distinct = [...new Set(columns)];
      return [...new Set(rows)].every((row) => distinct.every((column) => keptAt(row, column)));
    },
  };
}

/** For each row and column of cells the row or column of tiles that it lies in; -1 beyond the image. */
function tilesAt(
  { image, core }: TileGrid,
  rectangle: Rectangle,
  [vertical, horizontal]: readonly [number, number],
): { readonly rows: readonly number[]; readonly columns: readonly number[] } {
  const along = (start: number, cells: number, stride: number, extent: number, side: number): readonly number[] =>
    Array.from({ length: cells }, (_, index) => {
      const pixel = (start + index) * stride;
      return pixel < extent ? Math.floor(pixel / side) : -1;
    });
  return {
    rows: along(rectangle.y, rectangle.height, vertical, image.height, core.height),
    columns: along(rectangle.x, rectangle.width, horizontal, image.width, core.width),
  };
}

/** Keeps every tile. */
export function wholeImage(grid: TileGrid): TissueMask {
  return onlyTiles(
    grid,
    Array.from({ length: tileCount(grid) }, (_, index) => index),
  );
}

/**
 * Keeps the tiles in whose core the thumbnail shows tissue: colour, where glass is grey and bright. When it shows none
 * at all, everything is kept: a wrong guess must not lose an image.
 */
export function tissueTiles(thumbnail: Pixels, grid: TileGrid): TissueMask {
  const tissue = saturatedPixels(thumbnail);
  const scaleX = thumbnail.width / grid.image.width;
  const scaleY = thumbnail.height / grid.image.height;
  const kept: number[] = [];
  for (let tile = 0; tile < tileCount(grid); tile += 1) {
    const core = coreOf(grid, tile);
    const left = Math.floor(core.x * scaleX);
    const top = Math.floor(core.y * scaleY);
    const right = Math.min(thumbnail.width, Math.ceil((core.x + core.width) * scaleX));
    const bottom = Math.min(thumbnail.height, Math.ceil((core.y + core.height) * scaleY));
    if (hasTissue(tissue, thumbnail.width, { x: left, y: top, width: right - left, height: bottom - top })) {
      kept.push(tile);
    }
  }
  return kept.length === 0 ? wholeImage(grid) : onlyTiles(grid, kept);
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

/** A speck of dust is no tissue: at least one pixel in 200. */
function hasTissue(tissue: Uint8Array, stride: number, area: Rectangle): boolean {
  let found = 0;
  for (let y = area.y; y < area.y + area.height; y += 1) {
    for (let x = area.x; x < area.x + area.width; x += 1) found += tissue[y * stride + x] ?? 0;
  }
  return found * 200 >= area.width * area.height && found > 0;
}

import type { Rectangle, Size } from "./rectangle.ts";

/** The cores of an image's tiles: they cover it without overlap, row by row. */
export interface TileGrid {
  readonly image: Size;
  /** Of every core but those at the right and bottom edge. */
  readonly core: Size;
  readonly columns: number;
  readonly rows: number;
}

/** A grid whose cores are `tile` pixels a side, rounded up to a multiple of the stride. */
export function tileGrid(image: Size, options: { readonly tile: number; readonly stride: number }): TileGrid {
  const side = Math.ceil(options.tile / options.stride) * options.stride;
  return gridOfCores(image, { width: side, height: side });
}

/**
 * A grid of as few cores as `core` allows, as equal in size as the alignment allows: a narrow rest at an edge would
 * cost nearly as much as a whole tile.
 */
export function balancedTileGrid(image: Size, options: { readonly core: Size; readonly stride: number }): TileGrid {
  const side = (extent: number, most: number): number => {
    const count = Math.ceil(extent / most);
    return Math.ceil(extent / count / options.stride) * options.stride;
  };
  const { core } = options;
  return gridOfCores(image, { width: side(image.width, core.width), height: side(image.height, core.height) });
}

/** A grid of cores of just this size. */
export function gridOfCores(image: Size, core: Size): TileGrid {
  return { image, core, columns: Math.ceil(image.width / core.width), rows: Math.ceil(image.height / core.height) };
}

/** The core of tile `index`, row-major from 0. */
export function coreOf(grid: TileGrid, index: number): Rectangle {
  const x = (index % grid.columns) * grid.core.width;
  const y = Math.floor(index / grid.columns) * grid.core.height;
  return {
    x,
    y,
    width: Math.min(grid.core.width, grid.image.width - x),
    height: Math.min(grid.core.height, grid.image.height - y),
  };
}

/** Index of the tile in the middle: it has neighbours on all sides, if any tile has. */
export function middleTile({ columns, rows }: TileGrid): number {
  return Math.floor(rows / 2) * columns + Math.floor(columns / 2);
}

export function tileCount(grid: TileGrid): number {
  return grid.columns * grid.rows;
}

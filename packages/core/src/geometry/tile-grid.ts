import type { Rectangle, Size } from "./rectangle.ts";
import { roundUp } from "./round-up.ts";

/** The cores of an image's tiles: they cover it without overlap, row by row. */
export interface TileGrid {
  readonly image: Size;
  /** Of every core but those at the right and bottom edge. */
  readonly core: Size;
  readonly columns: number;
  readonly rows: number;
  /** Where programs should serve images of other sizes: what a tile computes beside its core. Nothing by default. */
  readonly window?: TileWindow;
}

/** Windows lie inside the extended image: what each tile computes, its core and some of what lies beside it. */
export interface TileWindow {
  /** The image, extended to a multiple of the stride. */
  readonly extended: Size;
  /** One shape for all tiles of a grid; by default a tile's core, and at the image's end what it is extended by. */
  readonly size?: Size | undefined;
}

/** A grid whose cores are `tile` pixels a side, rounded up to a multiple of the stride. */
export function tileGrid(image: Size, options: { readonly tile: number; readonly stride: number }): TileGrid {
  const side = roundUp(options.tile, options.stride);
  return gridOfCores(image, { width: side, height: side });
}

/**
 * A grid of as few cores as `core` allows, as equal in size as the alignment allows: a narrow rest at an edge would
 * cost nearly as much as a whole tile.
 */
export function balancedTileGrid(image: Size, options: { readonly core: Size; readonly stride: number }): TileGrid {
  const side = (extent: number, most: number): number => {
    const count = Math.ceil(extent / most);
    return roundUp(extent / count, options.stride);
  };
  const { core } = options;
  return gridOfCores(image, { width: side(image.width, core.width), height: side(image.height, core.height) });
}

/**
 * A grid of tiles that are alike, whatever the image's size: windows of `tile` pixels a side, rounded up to the stride. The last of a row or
 * column ends where the extended image ends, and computes once more what others computed already. An axis on which the image is hardly longer than
 * a tile is not divided.
 * @param options.halo How far around its window a tile looks. Where another tile's end is nearer to the image's, the cores are made narrower,
 * so that only a last tile sees that end (as far as the stride allows: of tiles that are less than (columns - 1) strides wider than the halo, one more may).
 */
export function alikeTileGrid(
  image: Size,
  options: { readonly tile: number; readonly stride: number; readonly halo: number },
): TileGrid {
  const { stride } = options;
  const side = roundUp(options.tile, stride);
  const extended = extendedSize(image, stride);
  const along = (extent: number): { readonly core: number; readonly window: number } => {
    if (extent < side + options.halo) return { core: extent, window: extent };
    const others = Math.ceil(extent / side) - 1;
    // The last but one, which begins after others - 1 cores, ends the halo before the image does.
    const most = Math.floor((extent - options.halo - side) / (others - 1) / stride) * stride;
    const core = Math.min(side, most);
    return { core: (others + 1) * core >= extent ? core : side, window: side };
  };
  const [x, y] = [along(extended.width), along(extended.height)];
  const grid = gridOfCores(image, { width: x.core, height: y.core });
  return { ...grid, window: { size: { width: x.window, height: y.window }, extended } };
}

/** The same cores, where the tiles at an image's end compute what it is extended by: their sides are multiples of the stride, as all others' are. */
export function extendedTileGrid(grid: TileGrid, options: { readonly stride: number }): TileGrid {
  return { ...grid, window: { extended: extendedSize(grid.image, options.stride) } };
}

function extendedSize({ width, height }: Size, stride: number): Size {
  return { width: roundUp(width, stride), height: roundUp(height, stride) };
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

/** What tile `index` computes of the image, or of the extended one where there is one: its core at least. */
export function windowOf(grid: TileGrid, index: number): Rectangle {
  const core = coreOf(grid, index);
  if (grid.window === undefined) return core;
  const { size, extended } = grid.window;
  if (size === undefined) {
    const { image } = grid;
    const [right, bottom] = [core.x + core.width, core.y + core.height];
    return {
      x: core.x,
      y: core.y,
      width: (right === image.width ? extended.width : right) - core.x,
      height: (bottom === image.height ? extended.height : bottom) - core.y,
    };
  }
  return {
    x: Math.min(core.x, extended.width - size.width),
    y: Math.min(core.y, extended.height - size.height),
    ...size,
  };
}

/**
 * How many pixels of a tile's last rows and columns its program must expect to be others': 0 where it computes its core alone. Tiles of one shape expect any, so that they
 * share programs; those at the end of an image that is extended to a multiple of the stride expect less than that.
 */
export function foreignPixels(grid: TileGrid, index: number, options: { readonly stride: number }): number {
  const [core, window] = [coreOf(grid, index), windowOf(grid, index)];
  if (grid.window?.size !== undefined) return Infinity;
  return core.width < window.width || core.height < window.height ? options.stride : 0;
}

/** Index of the tile in the middle: it has neighbours on all sides, if any tile has. */
export function middleTile({ columns, rows }: TileGrid): number {
  return Math.floor(rows / 2) * columns + Math.floor(columns / 2);
}

export function tileCount(grid: TileGrid): number {
  return grid.columns * grid.rows;
}

import { describe, expect, it } from "vitest";
import {
  alikeTileGrid,
  balancedTileGrid,
  coreOf,
  extendedTileGrid,
  foreignPixels,
  tileCount,
  tileGrid,
  windowOf,
} from "./tile-grid.ts";

describe("a tile grid", () => {
  const image = { width: 2220, height: 2967 };

  it.each([
    tileGrid(image, { tile: 1000, stride: 16 }),
    tileGrid(image, { tile: 5, stride: 16 }),
    tileGrid(image, { tile: 10_000, stride: 16 }),
    balancedTileGrid(image, { core: { width: 1024, height: 1024 }, stride: 16 }),
    alikeTileGrid(image, { tile: 512, stride: 16, halo: 100 }),
  ])("covers every pixel once: $core", (grid) => {
    const columns = new Uint8Array(image.width);
    const rows = new Uint8Array(image.height);
    for (let tile = 0; tile < tileCount(grid); tile += 1) {
      const core = coreOf(grid, tile);
      expect(core.width > 0 && core.height > 0).toBe(true);
      expect([core.x % 16, core.y % 16]).toEqual([0, 0]);
      if (core.y === 0) columns.fill(1, core.x, core.x + core.width);
      if (core.x === 0) rows.fill(1, core.y, core.y + core.height);
    }
    expect(columns.every((value) => value === 1) && rows.every((value) => value === 1)).toBe(true);
    const pixels = Array.from({ length: tileCount(grid) }, (_, tile) => coreOf(grid, tile));
    expect(pixels.reduce((sum, core) => sum + core.width * core.height, 0)).toBe(image.width * image.height);
  });

  it("rounds the side of a core up to the stride", () => {
    expect(tileGrid(image, { tile: 1000, stride: 16 }).core).toEqual({ width: 1008, height: 1008 });
  });

  it("is balanced: no narrow rest at the edge", () => {
    expect(balancedTileGrid(image, { core: { width: 1024, height: 1024 }, stride: 16 })).toMatchObject({
      core: { width: 752, height: 992 },
      columns: 3,
      rows: 3,
    });
  });
});

describe("a grid of the extended image", () => {
  const stride = 16;
  const windows = (image: { readonly width: number; readonly height: number }) => {
    const grid = extendedTileGrid(tileGrid(image, { tile: 64, stride }), { stride });
    return Array.from({ length: tileCount(grid) }, (_, tile) => {
      return { core: coreOf(grid, tile), window: windowOf(grid, tile), foreign: foreignPixels(grid, tile, { stride }) };
    });
  };

  it("has the same cores; those at the end compute what the image is extended by", () => {
    const tiles = windows({ width: 100, height: 65 });
    expect(tiles.map(({ core }) => [core.width, core.height])).toEqual([
      [64, 64],
      [36, 64],
      [64, 1],
      [36, 1],
    ]);
    expect(tiles.map(({ window }) => window)).toEqual([
      { x: 0, y: 0, width: 64, height: 64 },
      { x: 64, y: 0, width: 48, height: 64 },
      { x: 0, y: 64, width: 64, height: 16 },
      { x: 64, y: 64, width: 48, height: 16 },
    ]);
    expect(tiles.map(({ foreign }) => foreign)).toEqual([0, stride, stride, stride]);
  });

  it("has nothing beside the cores where the image's sides are multiples of the stride", () => {
    for (const { core, window, foreign } of windows({ width: 96, height: 128 })) {
      expect([window, foreign]).toEqual([core, 0]);
    }
  });

  it("tells tiles of one shape that any pixel may be others'", () => {
    const alike = alikeTileGrid({ width: 96, height: 128 }, { tile: 64, stride, halo: 20 });
    expect(foreignPixels(alike, 0, { stride })).toBe(Infinity);
  });
});

describe("a grid of tiles that are alike", () => {
  const stride = 16;
  const halo = 100;
  const grids = Array.from({ length: 120 }, (_, index) => {
    const image = { width: 613 + 37 * index, height: 5000 - 31 * index };
    return { image, grid: alikeTileGrid(image, { tile: 384 + 128 * (index % 4), stride, halo }) };
  });

  it("has windows of one size, which hold the cores and lie in the extended image", () => {
    for (const { image, grid } of grids) {
      const extended = {
        width: Math.ceil(image.width / stride) * stride,
        height: Math.ceil(image.height / stride) * stride,
      };
      expect(grid.window).toMatchObject({ extended });
      for (let tile = 0; tile < tileCount(grid); tile += 1) {
        const [core, window] = [coreOf(grid, tile), windowOf(grid, tile)];
        expect(window).toMatchObject(grid.window?.size ?? {});
        expect([window.x % stride, window.y % stride]).toEqual([0, 0]);
        expect(window.x <= core.x && window.y <= core.y).toBe(true);
        expect(core.x + core.width <= window.x + window.width && core.y + core.height <= window.y + window.height).toBe(
          true,
        );
        expect(window.x + window.width <= extended.width && window.y + window.height <= extended.height).toBe(true);
      }
    }
  });

  it("has no tile but the last of a row and column that is nearer than the halo to the image's end", () => {
    for (const { grid } of grids) {
      const { extended } = grid.window ?? { extended: grid.image };
      for (let tile = 0; tile < tileCount(grid); tile += 1) {
        const window = windowOf(grid, tile);
        const [column, row] = [tile % grid.columns, Math.floor(tile / grid.columns)];
        if (column < grid.columns - 1) expect(window.x + window.width + halo).toBeLessThanOrEqual(extended.width);
        if (row < grid.rows - 1) expect(window.y + window.height + halo).toBeLessThanOrEqual(extended.height);
      }
    }
  });

  it("is one tile where the image is hardly longer than a tile", () => {
    const grid = alikeTileGrid({ width: 300, height: 350 }, { tile: 256, stride, halo });
    expect(grid).toMatchObject({ columns: 1, rows: 1, window: { size: { width: 304, height: 352 } } });
    expect(windowOf(grid, 0)).toEqual({ x: 0, y: 0, width: 304, height: 352 });
    expect(coreOf(grid, 0)).toEqual({ x: 0, y: 0, width: 300, height: 350 });
  });
});

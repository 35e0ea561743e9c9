import { describe, expect, it } from "vitest";
import { balancedTileGrid, coreOf, tileCount, tileGrid } from "./tile-grid.ts";

describe("a tile grid", () => {
  const image = { width: 2220, height: 2967 };

  it.each([
    tileGrid(image, { tile: 1000, stride: 16 }),
    tileGrid(image, { tile: 5, stride: 16 }),
    tileGrid(image, { tile: 10_000, stride: 16 }),
    balancedTileGrid(image, { core: { width: 1024, height: 1024 }, stride: 16 }),
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

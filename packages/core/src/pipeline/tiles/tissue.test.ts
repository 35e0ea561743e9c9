import { describe, expect, it } from "vitest";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { coreOf, tileGrid } from "../../geometry/tile-grid.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import { tissueBlocks, tissueMask, wholeImage } from "./tissue.ts";

const grid = tileGrid({ width: 1000, height: 600 }, { tile: 256, stride: 16 });

/** Glass with a pink square over the thumbnail's pixels [x, x + side). */
function glassWith(square: { readonly x: number; readonly y: number; readonly side: number }) {
  const data = new Uint8Array(100 * 60 * 3).fill(242);
  for (let y = square.y; y < square.y + square.side; y += 1) {
    for (let x = square.x; x < square.x + square.side; x += 1) data.set([220, 120, 180], (y * 100 + x) * 3);
  }
  return { width: 100, height: 60, samples: "uint8", data } as const;
}

describe("tissue detection", () => {
  const image = { width: 10_000, height: 6_000 };

  it("keeps the blocks that show colour", () => {
    expect(tissueBlocks(glassWith({ x: 30, y: 5, side: 12 }), image)).toEqual({
      block: { width: 1024, height: 1024 },
      kept: [2, 3, 4, 12, 13, 14],
    });
  });

  it("takes one or two pixels for dust", () => {
    const slide = { width: 100_000, height: 60_000 };
    const dust = tissueBlocks(glassWith({ x: 30, y: 5, side: 1 }), slide);
    expect(dust.kept).toEqual([0]);
    expect(dust.block).toEqual(slide);
  });

  it("keeps everything when there is no colour at all", () => {
    const { tiles, complete } = tissueMask(grid, tissueBlocks(glassWith({ x: 0, y: 0, side: 0 }), grid.image));
    expect({ tiles, complete }).toEqual({ tiles: wholeImage(grid).tiles, complete: true });
  });

  it("counts cells at the image's edge that are not whole", () => {
    expect(wholeImage(grid).cells([16, 16])).toBe(Math.ceil(1000 / 16) * Math.ceil(600 / 16));
  });
});

describe("blocks that are kept", () => {
  const blocks = { block: { width: 100, height: 100 }, kept: [2, 3, 12, 59] };
  const grids = [
    grid,
    tileGrid(grid.image, { tile: 64, stride: 16 }),
    tileGrid(grid.image, { tile: 1000, stride: 16 }),
  ];

  it("are what is pooled, whatever the tiles", () => {
    const masks = grids.map((each) => tissueMask(each, blocks));
    const along = (start: number, end: number): number => Math.ceil(end / 16) - Math.ceil(start / 16);
    const sixteenths =
      (along(200, 300) + along(300, 400)) * along(0, 100) +
      along(200, 300) * along(100, 200) +
      along(900, 1000) * along(500, 600);
    for (const mask of masks) {
      expect(mask.complete).toBe(false);
      expect(mask.cells([1, 1])).toBe(4 * 100 * 100);
      // A cell of 16 px belongs to the block that its first pixel lies in: 6 or 7 cells of each block's width and height.
      expect(mask.cells([16, 16])).toBe(sixteenths);
    }
  });

  it("are computed in the tiles that meet them, and nothing else of those is shown", () => {
    for (const each of grids) {
      const mask = tissueMask(each, blocks);
      const shown = new Uint8Array(1000 * 600);
      const draw = ({ x, y, width, height }: Rectangle, value: number): void => {
        for (let row = y; row < y + height; row += 1) shown.fill(value, row * 1000 + x, row * 1000 + x + width);
      };
      for (const tile of mask.tiles) draw(coreOf(each, tile), 1);
      for (const rectangle of mask.leftOut()) draw(rectangle, 0);
      const expected = mask.mask({ x: 0, y: 0, width: 1000, height: 600 }, [1, 1]);
      expect(shown.findIndex((value, index) => value !== expected[index])).toBe(-1);
    }
  });
});

describe("kept cores", () => {
  const sixteens = tileGrid({ width: 50, height: 40 }, { tile: 16, stride: 4 });
  const kept = tissueMask(sixteens, { block: sixteens.core, kept: [0, 1, 4, 5, 11] });

  it("say whether all cells of a rectangle lie in them; none beyond the image does", () => {
    expect(kept.keeps({ x: 0, y: 0, width: 32, height: 32 }, [1, 1])).toBe(true);
    expect(kept.keeps({ x: 0, y: 0, width: 33, height: 32 }, [1, 1])).toBe(false);
    expect(kept.keeps({ x: 12, y: 8, width: 1, height: 2 }, [4, 4])).toBe(true);
    expect(kept.keeps({ x: 48, y: 32, width: 2, height: 8 }, [1, 1])).toBe(true);
    expect(kept.keeps({ x: 48, y: 32, width: 3, height: 8 }, [1, 1])).toBe(false);
    expect(kept.keeps({ x: 48, y: 32, width: 2, height: 9 }, [1, 1])).toBe(false);
  });

  it("mask a rectangle that reaches beyond the image", () => {
    expect(Array.from(kept.mask({ x: 11, y: 9, width: 3, height: 2 }, [4, 4]))).toEqual([0, 1, 0, 0, 0, 0]);
  });

  it("mask a large rectangle cell by cell, in memory that held something else", () => {
    const size = { width: 1024, height: 620 };
    giveBuffers([{ data: new Float32Array(size.width * size.height).fill(7) }]);
    const tiles = [0, 1, 6, 9, 11];
    const expected = Float32Array.from({ length: size.width * size.height }, (_, index) => {
      const [x, y] = [index % size.width, Math.floor(index / size.width)];
      return x < 1000 && y < 600 && tiles.includes(Math.floor(y / 256) * 4 + Math.floor(x / 256)) ? 1 : 0;
    });
    const found = tissueMask(grid, { block: grid.core, kept: tiles }).mask({ x: 0, y: 0, ...size }, [1, 1]);
    expect(found.length).toBe(expected.length);
    expect(found.findIndex((value, index) => value !== expected[index])).toBe(-1);
  });
});

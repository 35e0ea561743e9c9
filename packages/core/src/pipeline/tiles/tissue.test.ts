import { describe, expect, it } from "vitest";
import { tileGrid } from "../../geometry/tile-grid.ts";
import { giveBuffers } from "../../io/used-buffers.ts";
import { onlyTiles, tissueTiles, wholeImage } from "./tissue.ts";

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
  it("keeps the tiles that show colour", () => {
    const mask = tissueTiles(glassWith({ x: 30, y: 5, side: 12 }), grid);
    expect(mask.tiles).toEqual([1]);
    expect(mask.complete).toBe(false);
    expect(mask.cells([1, 1])).toBe(256 * 256);
    expect(mask.cells([16, 16])).toBe(16 * 16);
  });

  it("keeps everything when there is no colour at all", () => {
    expect(tissueTiles(glassWith({ x: 0, y: 0, side: 0 }), grid).tiles).toEqual(wholeImage(grid).tiles);
  });

  it("counts cells at the image's edge that are not whole", () => {
    expect(wholeImage(grid).cells([16, 16])).toBe(Math.ceil(1000 / 16) * Math.ceil(600 / 16));
  });

  it("masks what lies in tiles that are not kept", () => {
    const mask = tissueTiles(glassWith({ x: 30, y: 5, side: 12 }), grid);
    expect([...mask.mask({ x: 254, y: 255, width: 4, height: 2 }, [1, 1])]).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
    expect([...mask.mask({ x: 15, y: 0, width: 2, height: 1 }, [16, 16])]).toEqual([0, 1]);
  });
});

describe("kept cores", () => {
  const kept = onlyTiles(tileGrid({ width: 50, height: 40 }, { tile: 16, stride: 4 }), [0, 1, 4, 5, 11]);

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
    const found = onlyTiles(grid, tiles).mask({ x: 0, y: 0, ...size }, [1, 1]);
    expect(found.length).toBe(expected.length);
    expect(found.findIndex((value, index) => value !== expected[index])).toBe(-1);
  });
});

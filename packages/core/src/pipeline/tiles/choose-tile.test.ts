import { describe, expect, it } from "vitest";
import type { MethodName } from "../../explain/methods/index.ts";
import { planExplanation } from "../../explain/plan.ts";
import type { Explanation } from "../../explain/explanation.ts";
import { tileCount, tileGrid } from "../../geometry/tile-grid.ts";
import type { Size } from "../../geometry/rectangle.ts";
import { topologicalOrder } from "../../graph/graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Model } from "../../model/model.ts";
import { networkFor } from "../../model/network.ts";
import { defaultUNet, unetGraph, unetParameters } from "../../model/unet.ts";
import { chooseTileGrid, rankTileGrids } from "./choose-tile.ts";
import { tissueMask } from "./tissue.ts";
import type { ChooseTileOptions } from "./choose-tile.ts";
import { largestOf, middleTileBytes, tileGrowth } from "./tile-growth.ts";
import { valueBytes } from "./tile-memory.ts";

const settings = { ...defaultUNet, depth: 3, baseChannels: 8, classes: 2 };
const parameters = unetParameters(settings);
const model: Model = { sha256: "", instantiate: (size) => unetGraph(settings, parameters, size) };
const engine = { overhead: 1.5, keepsOrder: true, alikeTiles: false, resizes: () => false };
const memory = { engine, precision: "float32", memoryBytes: 200e6 } as const satisfies ChooseTileOptions;

const plain = { samples: "uint8", mean: [0, 0, 0], std: [1, 1, 1] } as const;

function explanationOf(method: MethodName, size: Size): Explanation {
  const network = networkFor(model, size, plain);
  return planExplanation(network, { method, target: { kind: "class", index: 0 }, classes: ["a", "b"] });
}

describe.each(["grad-cam", "saliency"] as const)("the tile grid of %s", (method) => {
  it.each([
    { width: 300, height: 200 },
    { width: 3000, height: 3000 },
    { width: 700, height: 40_000 },
    { width: 60_000, height: 50_000 },
  ])("fits into the memory budget: $width x $height", (size) => {
    const explanation = explanationOf(method, size);
    const grid = chooseTileGrid(explanation, memory);
    expect(middleTileBytes(explanation, grid)).toBeLessThanOrEqual(valueBytes(memory));
    expect(grid.columns * grid.core.width).toBeGreaterThanOrEqual(size.width);
  });

  it("is estimated by a law that is near to what is counted", () => {
    const explanation = explanationOf(method, { width: 6000, height: 5000 });
    const { bytes } = tileGrowth(explanation);
    for (const grid of rankTileGrids(explanation, { ...memory, memoryBytes: 1e9 }, 5)) {
      const ratio = largestOf(bytes, grid) / middleTileBytes(explanation, grid);
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.25);
    }
  });

  it("has fewer, larger tiles where there is more memory, and in a precision of half the bytes", () => {
    const explanation = explanationOf(method, { width: 9000, height: 9000 });
    const tiles = (options: ChooseTileOptions): number => tileCount(chooseTileGrid(explanation, options));
    expect(tiles({ ...memory, memoryBytes: 800e6 })).toBeLessThan(tiles(memory));
    expect(tiles({ ...memory, precision: "bfloat16" })).toBeLessThan(tiles(memory));
  });
});

describe("the tile grid", () => {
  it("is one tile for a small image", () => {
    expect(chooseTileGrid(explanationOf("grad-cam", { width: 300, height: 200 }), memory)).toMatchObject({
      columns: 1,
      rows: 1,
    });
  });

  it("is made of bands where the image is narrow enough: three kinds of tiles instead of nine", () => {
    const grid = chooseTileGrid(explanationOf("grad-cam", { width: 2000, height: 8000 }), memory);
    expect(grid.columns).toBe(1);
    expect(grid.rows).toBeGreaterThan(3);
  });

  it("has its tiles' borders at borders of blocks where blocks are left out, and none computes what is left out if they are few", () => {
    const block = { width: 1024, height: 1024 };
    const explanation = explanationOf("grad-cam", { width: 9000, height: 9000 });
    // One block in each of four corners; all of the image's lower half.
    const [few, many] = [[0, 8, 72, 80], Array.from({ length: 36 }, (_, index) => 45 + index)];
    for (const kept of [few, many]) {
      const grid = chooseTileGrid(explanation, { ...memory, kept: { block, kept } });
      for (const side of [grid.core.width, grid.core.height]) {
        expect(Math.max(side, 1024) % Math.min(side, 1024)).toBe(0);
      }
      if (kept === few) expect(tissueMask(grid, { block, kept }).leftOut()).toEqual([]);
    }
  });

  it("has no value of 2^31 elements on an accelerator, whose memory would hold it", () => {
    const wide = { ...settings, depth: 1, baseChannels: 192 };
    const weights = unetParameters(wide);
    const instantiate = (size: Size): ReturnType<Model["instantiate"]> => unetGraph(wide, weights, size);
    const network = networkFor({ sha256: "", instantiate }, { width: 9000, height: 9000 }, plain);
    const target = { kind: "class", index: 0 } as const;
    const explanation = planExplanation(network, { method: "grad-cam", target, classes: ["a", "b"] });
    const accelerator = { engine: { ...engine, memoryBytes: 1e12 }, precision: "float32" } as const;
    const { elements } = tileGrowth(explanation);
    const { size, stride } = network;
    expect(largestOf(elements, tileGrid(size, { tile: 4096, stride }))).toBeGreaterThan(2 ** 31);
    expect(largestOf(elements, chooseTileGrid(explanation, accelerator))).toBeLessThan(2 ** 31);
  });

  it("is made of tiles of few sizes, the same for all images, where programs take long to open", () => {
    const accelerator = { engine: { ...engine, memoryBytes: 40e9, alikeTiles: true }, precision: "float32" } as const;
    const sides = new Set<number>();
    for (let index = 0; index < 20; index += 1) {
      const size = { width: 700 + 911 * index, height: 9000 - 401 * index };
      const explanation = explanationOf("saliency", size);
      const grid = chooseTileGrid(explanation, accelerator);
      const window = grid.window?.size ?? { width: 0, height: 0 };
      expect(window.width).toBe(window.height);
      expect(largestOf(tileGrowth(explanation).bytes, grid)).toBeLessThanOrEqual(valueBytes(accelerator));
      sides.add(window.width);
    }
    expect([...sides].every((side) => [256, 512, 1024, 2048, 4096].includes(side))).toBe(true);
    expect(sides.size).toBeLessThanOrEqual(3);
    const asked = chooseTileGrid(explanationOf("grad-cam", { width: 1000, height: 1000 }), {
      ...accelerator,
      tile: 100,
    });
    expect(asked.window?.size).toEqual({ width: 104, height: 104 });
  });

  it("is that of the extended image where an engine has one program for all sizes of each sweep", () => {
    const size = { width: 1003, height: 997 };
    const extended = { width: 1008, height: 1000 };
    const goesForward = ({ outputs }: Graph): boolean =>
      topologicalOrder(Object.values(outputs)).every(({ op }) => op !== "Greater");
    const resizing = { ...memory, engine: { ...engine, resizes: goesForward } };
    const forward = explanationOf("grad-cam", size);
    expect(chooseTileGrid(forward, resizing).window).toEqual({ extended });
    expect(chooseTileGrid(forward, { ...resizing, tile: 128 }).window).toEqual({ extended });
    expect({ ...chooseTileGrid(forward, resizing), window: undefined }).toEqual({
      ...chooseTileGrid(forward, memory),
      window: undefined,
    });
    expect(chooseTileGrid(explanationOf("saliency", size), resizing).window).toBeUndefined();
  });

  it("is the user's where a tile is asked for", () => {
    const explanation = explanationOf("grad-cam", { width: 1000, height: 1000 });
    expect(chooseTileGrid(explanation, { ...memory, tile: 100 }).core).toEqual({ width: 104, height: 104 });
  });

  it("is as fine as it goes where nothing fits", () => {
    const explanation = explanationOf("saliency", { width: 3000, height: 3000 });
    expect(chooseTileGrid(explanation, { ...memory, memoryBytes: 1 }).core).toEqual({ width: 128, height: 128 });
  });
});

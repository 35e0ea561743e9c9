import { describe, expect, it } from "vitest";
import { coreOf, gridOfCores, tileCount, tileGrid } from "../geometry/tile-grid.ts";
import { networkFor } from "../model/network.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import { methodNames } from "./methods/index.ts";
import { planExplanation } from "./plan.ts";
import { explainByReference } from "./reference-explanation.ts";

const size = { width: 37, height: 29 };
const settings = { ...defaultUNet, depth: 2, baseChannels: 3, seed: 5 };
const parameters = unetParameters(settings);
const network = networkFor({ sha256: "", instantiate: (at) => unetGraph(settings, parameters, at) }, size, {
  samples: "uint8",
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
});
const pixels = Uint8Array.from({ length: size.width * size.height * 3 }, (_, i) => (i * 7919 + (i % 11) * 97) % 256);
const target = { kind: "class", index: 1 } as const;
const grid = tileGrid(size, { tile: 12, stride: 4 });
const kept = [0, 1, 5, 6, 10];

describe("tiles that are left out", () => {
  it.each(methodNames)("%s is that of the image whose kept pixels alone are pooled", (method) => {
    const isKept = new Uint8Array(size.width * size.height);
    for (const tile of kept) {
      const { x, y, width, height } = coreOf(grid, tile);
      for (let row = y; row < y + height; row += 1) isKept.fill(1, row * size.width + x, row * size.width + x + width);
    }
    const cells = isKept.reduce((sum, value) => sum + value, 0);
    const explanation = planExplanation(network, { method, target, classes: ["a", "b"], keptCells: () => cells });
    const mask = { values: isKept, tiles: kept };
    const tiled = explainByReference(explanation, pixels, grid, mask);
    // The same kept pixels, cut into the smallest tiles that there are.
    const coarse = tileGrid(size, { tile: 4, stride: 4 });
    const fine = Array.from({ length: coarse.columns * coarse.rows }, (_, tile) => tile).filter((tile) => {
      const { x, y } = coreOf(coarse, tile);
      return isKept[y * size.width + x] === 1;
    });
    const other = explainByReference(explanation, pixels, coarse, { values: isKept, tiles: fine });
    const range = Math.max(...tiled.map) - Math.min(...tiled.map);
    expect(range).toBeGreaterThan(0);
    tiled.map.forEach((value, i) => {
      if (isKept[i] === 1) expect(Math.abs(value - (other.map[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-9 * range);
    });
    expect(tiled.outcome.logits[1]).toBeCloseTo(other.outcome.logits[1] ?? Number.NaN, 10);
  });

  it.each(methodNames)("%s does not depend on how what is kept lies in tiles", (method) => {
    // Blocks that no tile's border is a multiple of, and one row and column of them that is not whole.
    const blocks = gridOfCores(size, { width: 10, height: 7 });
    const isKept = new Uint8Array(size.width * size.height);
    for (const block of [0, 1, 5, 7, 15, 19]) {
      const { x, y, width, height } = coreOf(blocks, block);
      for (let row = y; row < y + height; row += 1) isKept.fill(1, row * size.width + x, row * size.width + x + width);
    }
    const cells = isKept.reduce((sum, value) => sum + value, 0);
    const [one, ...others] = [12, 16, 40].map((tile) => {
      const each = tileGrid(size, { tile, stride: 4 });
      const tiles = Array.from({ length: tileCount(each) }, (_, index) => index).filter((index) => {
        const { x, y, width, height } = coreOf(each, index);
        return Array.from({ length: height }, (_, row) => (y + row) * size.width + x).some((start) =>
          isKept.subarray(start, start + width).includes(1),
        );
      });
      const explanation = planExplanation(network, { method, target, classes: ["a", "b"], keptCells: () => cells });
      return explainByReference(explanation, pixels, each, { values: isKept, tiles });
    });
    if (one === undefined) throw new Error("There are three grids.");
    const shown = one.map.filter((_, i) => isKept[i] === 1);
    const range = Math.max(...shown) - Math.min(...shown);
    expect(range).toBeGreaterThan(0);
    for (const other of others) {
      other.map.forEach((value, i) => {
        if (isKept[i] === 1) expect(Math.abs(value - (one.map[i] ?? Number.NaN))).toBeLessThanOrEqual(1e-9 * range);
      });
      expect(other.outcome.logits[1]).toBeCloseTo(one.outcome.logits[1] ?? Number.NaN, 10);
    }
  });

  it("has gradients that are central differences of the logit over the kept pixels", () => {
    const isKept = new Uint8Array(size.width * size.height);
    for (const tile of kept) {
      const { x, y, width, height } = coreOf(grid, tile);
      for (let row = y; row < y + height; row += 1) isKept.fill(1, row * size.width + x, row * size.width + x + width);
    }
    const cells = isKept.reduce((sum, value) => sum + value, 0);
    const mask = { values: isKept, tiles: kept };
    const explanation = planExplanation(network, {
      method: "input-x-gradient",
      target,
      classes: ["a", "b"],
      keptCells: () => cells,
    });
    const { map } = explainByReference(explanation, pixels, grid, mask);
    const logitAt = (values: ArrayLike<number>): number =>
      explainByReference(explanation, values, grid, mask).outcome.logits[1] ?? Number.NaN;
    // Beside a tile that is left out, where gradients would cross the border.
    const [x, y, step] = [22, 5, 1e-4];
    const first = (y * size.width + x) * 3;
    const expected = [0, 1, 2].reduce((sum, channel) => {
      const moved = (by: number): Float64Array =>
        Float64Array.from(pixels, (value, i) => (i === first + channel ? value + by : value));
      const slope = (logitAt(moved(step)) - logitAt(moved(-step))) / (2 * step);
      return sum + ((pixels[first + channel] ?? 0) - 127.5) * slope;
    }, 0);
    expect(map[y * size.width + x]).toBeCloseTo(expected, 7);
  });
});

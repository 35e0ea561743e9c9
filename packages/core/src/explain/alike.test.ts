import { describe, expect, it } from "vitest";
import type { Size } from "../geometry/rectangle.ts";
import { alikeTileGrid, coreOf, extendedTileGrid, tileCount, tileGrid } from "../geometry/tile-grid.ts";
import type { TileGrid } from "../geometry/tile-grid.ts";
import { networkFor } from "../model/network.ts";
import type { Network } from "../model/network.ts";
import { defaultUNet, unetGraph, unetParameters } from "../model/unet.ts";
import type { UNetSettings } from "../model/unet.ts";
import { methodNames } from "./methods/index.ts";
import { planExplanation } from "./plan.ts";
import { explainByReference } from "./reference-explanation.ts";
import type { KeptPixels } from "./reference-explanation.ts";

const image = { width: 75, height: 62 };
/** To a multiple of the stride. */
const extended = { width: 76, height: 64 };
const stride = 4;
const alike = alikeTileGrid(image, { tile: 24, stride, halo: 28 });
/** Of tiles with neighbours on all sides, and those at the ends, which compute one column or two rows more. */
const atTheEnds = extendedTileGrid(tileGrid(image, { tile: 28, stride }), { stride });

/** Interleaved RGB of the extended image: its last column and row repeated. */
const pixels = Uint8Array.from({ length: extended.width * extended.height * 3 }, (_, index) => {
  const [x, y] = [Math.floor(index / 3) % extended.width, Math.floor(index / 3 / extended.width)];
  const at = (Math.min(y, image.height - 1) * image.width + Math.min(x, image.width - 1)) * 3 + (index % 3);
  return (at * 7919 + (at % 11) * 97) % 256;
});
const ownPixels = Uint8Array.from({ length: image.width * image.height * 3 }, (_, index) => {
  const [x, y] = [Math.floor(index / 3) % image.width, Math.floor(index / 3 / image.width)];
  return pixels[(y * extended.width + x) * 3 + (index % 3)] ?? 0;
});

function networkOf(settings: Partial<UNetSettings>, size: Size): Network {
  const all = { ...defaultUNet, depth: 2, baseChannels: 3, classes: 3, seed: 5, ...settings };
  const parameters = unetParameters(all);
  return networkFor({ sha256: "", instantiate: (at) => unetGraph(all, parameters, at) }, size, {
    samples: "uint8",
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.3, 0.4],
  });
}

/** 1 at each pixel of these tiles' cores, in an image of this size. */
function keptOf(
  grid: TileGrid,
  tiles: readonly number[],
  { width, height }: Size,
): KeptPixels & { readonly cells: number } {
  const values = new Uint8Array(width * height);
  for (const tile of tiles) {
    const core = coreOf(grid, tile);
    for (let row = core.y; row < core.y + core.height; row += 1) {
      values.fill(1, row * width + core.x, row * width + core.x + core.width);
    }
  }
  return { values, tiles, cells: values.reduce((sum, value) => sum + value, 0) };
}

const meanPooled: Partial<UNetSettings> = { pool: { kind: "mean" }, upsampling: "transposed" };
const otherPools: readonly Partial<UNetSettings>[] = [
  { pool: { kind: "max" }, upsampling: "linear" },
  { pool: { kind: "log-sum-exp", sharpness: 4 }, upsampling: "nearest" },
  { pool: { kind: "generalised-mean", power: 3 }, upsampling: "linear" },
];
const everyTile = (grid: TileGrid): readonly number[] => Array.from({ length: tileCount(grid) }, (_, tile) => tile);
const someTiles = (grid: TileGrid): readonly number[] => everyTile(grid).filter((tile) => tile % 3 !== 1);

/** Every method below a mean; below other pools one that goes forward and one that goes back; and one of each where tiles are left out. */
const cases = [
  ...methodNames.map((method) => ({ method, settings: meanPooled, tilesOf: everyTile })),
  ...(["grad-cam", "saliency"] as const).flatMap((method) => [
    ...otherPools.map((settings) => ({ method, settings, tilesOf: everyTile })),
    { method, settings: meanPooled, tilesOf: someTiles },
  ]),
];

it("tiles that are alike overlap, and the last ones reach beyond the image", () => {
  expect(alike).toMatchObject({ columns: 4, rows: 3, window: { extended, size: { width: 24, height: 24 } } });
});

/** Those for which such tiles are used. */
const forward = cases.filter(({ method }) => method !== "saliency" && method !== "input-x-gradient");

describe.each([
  ["are alike", alike, cases],
  ["end where the extended image ends", atTheEnds, forward],
] as const)("tiles that %s", (_, grid, ofGrid) => {
  it.each(ofGrid)(
    "give what their cores give alone: $method, $settings, $tilesOf.name",
    ({ method, settings, tilesOf }) => {
      const tiles = tilesOf(grid);
      const asked = { method, target: { kind: "difference", index: 2, other: 0 }, classes: ["a", "b", "c"] } as const;
      const own = keptOf(grid, tiles, image);
      const { window: __, ...cores } = grid;
      const inImage = planExplanation(networkOf(settings, image), { ...asked, keptCells: () => own.cells });
      const expected = explainByReference(inImage, ownPixels, cores, own);
      const inExtended = planExplanation(networkOf(settings, extended), { ...asked, keptCells: () => own.cells });
      const found = explainByReference(inExtended, pixels, grid, keptOf(grid, tiles, extended));
      const kept = expected.map.filter((___, index) => own.values[index] === 1);
      const range = Math.max(...kept) - Math.min(...kept);
      expect(range).toBeGreaterThan(0);
      const differences = expected.map.map((value, index) => {
        return own.values[index] === 1 ? Math.abs(value - (found.map[index] ?? Infinity)) : 0;
      });
      expect(Math.max(...differences)).toBeLessThanOrEqual(1e-9 * range);
      expected.outcome.logits.forEach((logit, index) => expect(found.outcome.logits[index]).toBeCloseTo(logit, 9));
    },
  );
});

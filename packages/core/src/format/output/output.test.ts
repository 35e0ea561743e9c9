import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFinisher } from "./finish.ts";
import { float16Bits } from "../../graph/float16.ts";
import { openFileSource } from "../../io/file-source.ts";
import { checkShardFile, createShardFile, readShardIndex } from "./shard-file.ts";
import type { TileResult } from "./shard-file.ts";
import { readStoredTile } from "./stored-tile.ts";
import type { StoredTile } from "./stored-tile.ts";
import { drawThumbnail, shrinkTile, thumbnailScale } from "./thumbnail.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-output-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Values x + 1000 y of a 300 x 200 image in four tiles, of which the last is missing. */
async function ramp(samples: "uint16" | "float32", name: string): Promise<readonly StoredTile[]> {
  const path = join(folder, `${name}.shard`);
  await using finisher = openFinisher();
  const writer = await createShardFile(path, finisher);
  const cores = [
    { x: 0, y: 0, width: 160, height: 96 },
    { x: 160, y: 0, width: 140, height: 96 },
    { x: 0, y: 96, width: 160, height: 104 },
  ];
  for (const [tile, core] of cores.entries()) {
    const value = (i: number): number => core.x + (i % core.width) + 1000 * (core.y + Math.floor(i / core.width));
    const values = Float32Array.from({ length: core.width * core.height }, (_, i) => value(i));
    const [low, high] = [value(0), value(values.length - 1)];
    const map =
      samples === "float32"
        ? ({ low, high, samples, data: values } as const)
        : ({
            low,
            high,
            samples,
            data: Uint16Array.from(values, (v) => Math.round(((v - low) / (high - low)) * 65535)),
          } as const);
    await writer.add({ tile, core, statistics: new Map(), maps: new Map([["map", map]]) });
  }
  await writer.finish();
  await writer[Symbol.asyncDispose]();
  await using source = await openFileSource(path);
  const { tiles } = await readShardIndex(source);
  return tiles.flatMap(({ core, maps }) => [...maps.values()].map((place) => ({ ...place, path, core })));
}

const size = { width: 300, height: 200 };
const scale = { min: -1000, max: 199_000 };
const expected = (x: number, y: number): number =>
  Math.round((((x >= 160 && y >= 96 ? 0 : x + 1000 * y) - scale.min) / (scale.max - scale.min)) * 255);

describe("a shard's file", () => {
  const core = { x: 0, y: 0, width: 1024, height: 600 };
  const samples = Uint16Array.from({ length: core.width * core.height }, (_, i) => (i * 37) % 65_521);
  const tileOf = (tile: number): TileResult => ({
    tile,
    core,
    statistics: new Map(),
    maps: new Map([["map", { low: 0, high: 1, samples: "uint16", data: samples.slice() }]]),
  });

  it("holds samples that another thread wrote, and tells when one is another", async () => {
    await using finisher = openFinisher();
    const path = join(folder, "large.shard");
    await using writer = await createShardFile(path, finisher);
    const tiles = [tileOf(0), tileOf(1)];
    for (const tile of tiles) await writer.add(tile);
    expect(tiles.map(({ maps }) => maps.get("map")?.data.length)).toEqual([0, 0]);
    await writer.finish();
    await checkShardFile(path);
    await using source = await openFileSource(path);
    const index = await readShardIndex(source);
    for (const { maps } of index.tiles) {
      const stored = maps.get("map");
      if (stored === undefined) throw new RangeError("Each tile has one map.");
      const { data } = readStoredTile({ ...stored, path, core });
      expect(Buffer.from(data.buffer).equals(Buffer.from(samples.buffer))).toBe(true);
    }
    const bytes = await readFile(path);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await expect(checkShardFile(path)).rejects.toMatchObject({ code: "shard-invalid" });
  });

  it("holds the tiles' parts of the picture, where there are any, and tells when one is another", async () => {
    await using finisher = openFinisher();
    const path = join(folder, "pictured.shard");
    await using writer = await createShardFile(path, finisher);
    const pictures = [1, 3].map((tile) => {
      const data = Uint8Array.from({ length: 7 * tile * 3 }, (_, i) => (i * 41 + tile) % 256);
      return { tile, picture: { left: 2 * tile, top: tile, width: 7, height: tile, data } };
    });
    const pictureOf = (tile: number) => pictures.find((each) => each.tile === tile)?.picture;
    for (const tile of [0, 1, 2, 3]) {
      const thumbnail = pictureOf(tile);
      await writer.add({ ...tileOf(tile), maps: new Map(), ...(thumbnail === undefined ? {} : { thumbnail }) });
    }
    await writer.finish();
    {
      await using source = await openFileSource(path);
      const { tiles } = await readShardIndex(source);
      expect(tiles.map(({ thumbnail }) => thumbnail)).toEqual([0, 1, 2, 3].map(pictureOf));
    }
    const bytes = await readFile(path);
    const first = bytes.indexOf(pictures[0]?.picture.data ?? Buffer.alloc(1));
    bytes[first] = (bytes[first] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await using source = await openFileSource(path);
    await expect(readShardIndex(source)).rejects.toMatchObject({ code: "shard-invalid" });
  });

  it("that can't be written says so", async () => {
    await using finisher = openFinisher();
    const path = join(folder, "gone.shard");
    await using writer = await createShardFile(path, finisher);
    await rm(path);
    await expect(writer.add(tileOf(0))).rejects.toMatchObject({
      code: "output-unwritable",
      message: expect.stringContaining(path),
    });
  });
});

describe("map.tif", () => {
  it.each(["uint16", "float32"] as const)("spans the scale, tile by tile, from %s tiles", async (samples) => {
    await using finisher = openFinisher();
    const path = join(folder, `${samples}.tif`);
    await finisher.run({ kind: "map", size, tiles: await ramp(samples, samples), leftOut: [], scale, path });
    const { data, info } = await sharp(path).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([300, 200, 1]);
    let worst = 0;
    for (let y = 0; y < 200; y += 1) {
      for (let x = 0; x < 300; x += 1) worst = Math.max(worst, Math.abs((data[y * 300 + x] ?? -9) - expected(x, y)));
    }
    // 16 bits between a tile's own ends: a byte may fall to the other side of a half.
    expect(worst).toBeLessThanOrEqual(samples === "float32" ? 0 : 1);
  });

  it("is a tiled, pyramidal BigTIFF with the same bytes every time", async () => {
    const tiles = await ramp("uint16", "again");
    const files = await Promise.all(
      [1, 2].map(async (run) => {
        const path = join(folder, `again-${run}.tif`);
        await using own = openFinisher();
        await own.run({ kind: "map", size, tiles, leftOut: [], scale, path });
        return readFile(path);
      }),
    );
    expect(files[0]?.equals(files[1] ?? Buffer.alloc(0))).toBe(true);
    expect([...(files[0]?.subarray(0, 4) ?? [])]).toEqual([0x49, 0x49, 43, 0]);
    expect((await sharp(join(folder, "again-1.tif")).metadata()).pages).toBe(2);
  });

  it("may be wider than 65,535 pixels", async () => {
    await using finisher = openFinisher();
    const path = join(folder, "wide.tif");
    await finisher.run({
      kind: "map",
      size: { width: 70_000, height: 300 },
      tiles: [],
      leftOut: [],
      scale: { min: 0, max: 1 },
      path,
    });
    expect((await sharp(path, { limitInputPixels: false }).metadata()).width).toBe(70_000);
  });

  it("is, in what of its tiles is left out, as where no tile is", async () => {
    await using finisher = openFinisher();
    const [path, other] = [join(folder, "whole.tif"), join(folder, "left-out.tif")];
    const tiles = await ramp("uint16", "left-out");
    // A byte for the value 0 that is none of the ends.
    const wide = { min: -scale.max, max: scale.max };
    const hole = { x: 40, y: 30, width: 17, height: 9 };
    await finisher.run({ kind: "map", size, tiles, leftOut: [], scale: wide, path });
    await finisher.run({ kind: "map", size, tiles, leftOut: [hole], scale: wide, path: other });
    const [whole, holed] = await Promise.all(
      [path, other].map((each) => sharp(each).toColourspace("b-w").raw().toBuffer()),
    );
    const expected = Uint8Array.from(whole ?? [], (byte, index) => {
      const [x, y] = [(index % 300) - hole.x, Math.floor(index / 300) - hole.y];
      return x >= 0 && x < hole.width && y >= 0 && y < hole.height ? 128 : byte;
    });
    expect(holed?.compare(expected)).toBe(0);
  });

  it("of a constant map is all zeros", async () => {
    await using finisher = openFinisher();
    const path = join(folder, "constant.tif");
    await finisher.run({ kind: "map", size, tiles: [], leftOut: [], scale: { min: 3, max: 3 }, path });
    expect((await sharp(path).raw().toBuffer()).every((byte) => byte === 0)).toBe(true);
  });
});

describe("map.zarr", () => {
  it("holds the unscaled values, zero where no tile is, and says so in its metadata", async () => {
    await using finisher = openFinisher();
    const zarr = join(folder, "map.zarr");
    await finisher.run({
      kind: "zarr",
      size,
      tiles: await ramp("float32", "zarr"),
      leftOut: [{ x: 20, y: 0, width: 30, height: 5 }],
      type: "float32",
      folder: zarr,
      micronsPerPixel: 0.5,
    });
    const metadata: unknown = JSON.parse(await readFile(join(zarr, "0", "zarr.json"), "utf8"));
    expect(metadata).toMatchObject({
      zarr_format: 3,
      shape: [200, 300],
      data_type: "float32",
      dimension_names: ["y", "x"],
    });
    const chunk = await readFile(join(zarr, "0", "c", "0", "0"));
    const values = new Float32Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 4);
    expect([values[0], values[1024 * 7 + 5], values[1024 * 100 + 200], values[299]]).toEqual([0, 7005, 0, 299]);
    // What of a tile is left out is as where no tile is.
    expect([values[19], values[20], values[49], values[50], values[1024 * 4 + 30], values[1024 * 5 + 30]]).toEqual([
      19, 0, 0, 50, 0, 5030,
    ]);
    const group: unknown = JSON.parse(await readFile(join(zarr, "zarr.json"), "utf8"));
    expect(group).toMatchObject({
      attributes: { ome: { version: "0.5", multiscales: [{ datasets: [{ path: "0" }] }] } },
    });
  });

  it("rounds halves to the nearest even", () => {
    expect([0, 1, -2, 65504, 65520, 2 ** -24, 2 ** -25, 1 + 2 ** -11].map(float16Bits)).toEqual([
      0, 0x3c00, 0xc000, 0x7bff, 0x7c00, 1, 0, 0x3c00,
    ]);
  });
});

describe("the preview", () => {
  it("shows the image beside its overlay, within 2,048 pixels a side", async () => {
    await using finisher = openFinisher();
    const mapPath = join(folder, "float32.tif");
    const data = new Uint8Array(300 * 200 * 3).fill(200);
    const path = join(folder, "preview.jpg");
    await finisher.run({
      kind: "preview",
      thumbnail: { width: 300, height: 200, data },
      mapPath,
      mapSize: size,
      scale,
      lines: ["grad-cam: tumour   p = 0.93", "slides/a.svs   300 x 200"],
      path,
    });
    const { width, height } = await sharp(path).metadata();
    expect(width > 600 && width <= 2048 && height <= 2048).toBe(true);
    expect((await stat(path)).size).toBeGreaterThan(2000);
  });
});

describe("a thumbnail", () => {
  it("is put together from the cores of tiles", async () => {
    const scale = thumbnailScale({ width: 100, height: 60 }, { maxSide: 30, alignment: 16 });
    const parts = [];
    for (const [x, value] of [
      [0, 10],
      [48, 250],
    ] as const) {
      const core = { x, y: 0, width: x === 0 ? 48 : 52, height: 60 };
      const pixels = {
        width: 64,
        height: 60,
        samples: "uint8",
        data: new Uint8Array(64 * 60 * 3).fill(value),
      } as const;
      parts.push(
        await shrinkTile({ core, input: { x: Math.max(0, x - 12), y: 0, width: 64, height: 60 }, pixels }, scale),
      );
    }
    const { width, height, data } = drawThumbnail(scale, parts);
    expect([width, height]).toEqual([25, 15]);
    expect([data[0], data[11 * 3], data[12 * 3], data[24 * 3]]).toEqual([10, 10, 250, 250]);
  });
});

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import type { TiffOptions } from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Rectangle } from "../../geometry/rectangle.ts";
import { levelIndex } from "../../geometry/units.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { openFileSource } from "../../io/file-source.ts";
import type { SlideImage, UnreadablePart } from "../image.ts";
import { readTiff, tagValues } from "../tiff/directories.ts";
import { tags } from "../tiff/tags.ts";
import { openImage } from "./open-image.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-unreadable-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const size = { width: 150, height: 110 };
const whole: Rectangle = { x: 0, y: 0, ...size };
const level = levelIndex(0);
const layout: TiffOptions = { tile: true, tileWidth: 48, tileHeight: 32, pyramid: false, compression: "deflate" };

async function writeTiff(options: TiffOptions & { wide?: boolean; orientation?: number }): Promise<string> {
  const { wide = false, orientation = 1, ...tiff } = options;
  const count = size.width * size.height * 3;
  const data = wide ? new Uint16Array(count) : new Uint8Array(count);
  for (let index = 0; index < count; index += 1) data[index] = ((index * 31) % 199) * (wide ? 257 : 1);
  const path = join(folder, `${Math.random()}.tif`);
  await sharp(data, { raw: { ...size, channels: 3 } })
    .toColourspace(wide ? "rgb16" : "srgb")
    .withMetadata({ orientation })
    .tiff({ ...layout, ...tiff })
    .toFile(path);
  return path;
}

/** A copy of a TIFF whose segment of this index is noise. */
async function damaged(path: string, index: number): Promise<string> {
  const bytes = await readFile(path);
  await using source = await openFileSource(path);
  const file = await readTiff(source, {});
  const [directory] = file.directories;
  if (directory === undefined) throw new Error("A TIFF has a directory.");
  const tiled = directory.entries.has(tags.tileOffsets);
  const read = (tag: number): Promise<readonly number[]> => tagValues(file, { directory, tag, most: 1_000 });
  const offset = (await read(tiled ? tags.tileOffsets : tags.stripOffsets))[index] ?? 0;
  const length = (await read(tiled ? tags.tileByteCounts : tags.stripByteCounts))[index] ?? 0;
  bytes.fill(0x5a, offset, offset + length);
  const copy = join(folder, `${Math.random()}.tif`);
  await writeFile(copy, bytes);
  return copy;
}

interface Opened extends AsyncDisposable {
  readonly image: SlideImage;
  readonly told: readonly UnreadablePart[];
}

async function openTolerant(path: string): Promise<Opened> {
  const told: UnreadablePart[] = [];
  const image = await openImage(path, await openFileSource(path), { tolerate: (bad) => told.push(bad) });
  return { image, told, [Symbol.asyncDispose]: () => image[Symbol.asyncDispose]() };
}

async function openStrict(path: string): Promise<SlideImage> {
  return openImage(path, await openFileSource(path));
}

/** Samples of a region, those within a rectangle white. */
async function withWhite(image: SlideImage, region: Rectangle, bad: Rectangle): Promise<number[]> {
  const { samples, data } = await image.read(level, region);
  const white = samples === "uint16" ? 65_535 : 255;
  return Array.from(data, (value, index) => {
    const pixel = Math.floor(index / 3);
    const x = region.x + (pixel % region.width);
    const y = region.y + Math.floor(pixel / region.width);
    const within = x >= bad.x && x < bad.x + bad.width && y >= bad.y && y < bad.y + bad.height;
    return within ? white : value;
  });
}

/** Row 2, column 3 of four columns: cut by the right edge. */
const badTile = { index: 11, column: 3, row: 2, rectangle: { x: 144, y: 64, width: 6, height: 32 } };

describe("a TIFF with one damaged tile", () => {
  it("fails where the tile is needed, with its place, and is read elsewhere", async () => {
    const intact = await writeTiff({});
    await using reference = await openStrict(intact);
    await using image = await openStrict(await damaged(intact, badTile.index));
    await expect(image.read(level, { x: 140, y: 90, width: 10, height: 10 })).rejects.toMatchObject({
      code: "image-corrupt",
      message: expect.stringContaining("the tile at column 3, row 2 of level 0 (6x32 pixels at 144, 64; bytes "),
      detail: { level: 0, column: 3, row: 2, ...badTile.rectangle },
    });
    const beside = { x: 0, y: 0, width: 144, height: 110 };
    expect((await image.read(level, beside)).data).toEqual((await reference.read(level, beside)).data);
  });

  it.each([false, true])("is white there when that is tolerated, 16 bits: %s", async (wide) => {
    const intact = await writeTiff({ wide });
    await using reference = await openStrict(intact);
    await using opened = await openTolerant(await damaged(intact, badTile.index));
    expect(Array.from((await opened.image.read(level, whole)).data)).toEqual(
      await withWhite(reference, whole, badTile.rectangle),
    );
    expect(opened.told).toEqual([
      { level: 0, rectangle: badTile.rectangle, code: "image-corrupt", message: expect.stringContaining("column 3") },
    ]);
  });

  it("is told once, and regions that overlap agree in whichever order they are read", async () => {
    const intact = await writeTiff({});
    const path = await damaged(intact, badTile.index);
    const regions = [
      { x: 130, y: 50, width: 20, height: 30 },
      { x: 145, y: 70, width: 5, height: 40 },
      { x: 0, y: 60, width: 150, height: 10 },
    ];
    await using reference = await openStrict(intact);
    for (const order of [regions, regions.toReversed()]) {
      await using opened = await openTolerant(path);
      const read = await Promise.all(order.map((region) => opened.image.read(level, region)));
      for (const [index, region] of order.entries()) {
        expect(Array.from(read[index]?.data ?? [])).toEqual(await withWhite(reference, region, badTile.rectangle));
      }
      expect(opened.told).toHaveLength(1);
    }
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("tells the rectangle as it is displayed, orientation %i", async (orientation) => {
    const intact = await writeTiff({ orientation });
    await using reference = await openStrict(intact);
    await using opened = await openTolerant(await damaged(intact, badTile.index));
    const { width, height } = opened.image.levels[0];
    const all = { x: 0, y: 0, width, height };
    const { data } = await opened.image.read(level, all);
    const [bad] = opened.told;
    if (bad === undefined) throw new Error("The damage was not told.");
    expect(Array.from(data)).toEqual(await withWhite(reference, all, bad.rectangle));
  });
});

describe("a TIFF with unreadable parts", () => {
  it("in strips is white in those strips", async () => {
    const intact = await writeTiff({ tile: false });
    await using source = await openFileSource(intact);
    const file = await readTiff(source, {});
    const [directory] = file.directories;
    if (directory === undefined) throw new Error("A TIFF has a directory.");
    const [rows = 0] = await tagValues(file, { directory, tag: tags.rowsPerStrip, most: 1 });
    await using reference = await openStrict(intact);
    await using opened = await openTolerant(await damaged(intact, 1));
    const bad = { x: 0, y: rows, width: size.width, height: Math.min(rows, size.height - rows) };
    expect(Array.from((await opened.image.read(level, whole)).data)).toEqual(await withWhite(reference, whole, bad));
    expect(opened.told.map(({ rectangle }) => rectangle)).toEqual([bad]);
  });

  it("whose bytes the file lacks is white there, and says that they are missing", async () => {
    // Its first tile is said to lie behind the end of the file.
    const intact = await writeTiff({ compression: "none" });
    await using source = await openFileSource(intact);
    const file = await readTiff(source, {});
    const [directory] = file.directories;
    if (directory === undefined) throw new Error("A TIFF has a directory.");
    const [first = 0] = await tagValues(file, { directory, tag: tags.tileOffsets, most: 1 });
    const entry = directory.entries.get(tags.tileOffsets);
    const bytes = await readFile(intact);
    bytes.writeUInt32LE(bytes.length + first, entry?.offset ?? 0);
    await writeFile(intact, bytes);
    await using opened = await openTolerant(intact);
    const { data } = await opened.image.read(level, { x: 0, y: 0, width: 48, height: 32 });
    expect(data.every((value) => value === 255)).toBe(true);
    expect(opened.told).toMatchObject([{ code: "image-truncated", rectangle: { x: 0, y: 0, width: 48, height: 32 } }]);
  });

  it("still fails when it is the store that does not give them", async () => {
    const path = await writeTiff({});
    await using file = await openFileSource(path);
    let down = false;
    const source: ByteSource = {
      ...file,
      read: (range, options) =>
        down
          ? Promise.reject(new SlidelightError("store-unavailable", "Reading failed: the store is down."))
          : file.read(range, options),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const told: UnreadablePart[] = [];
    await using image = await openImage(path, source, { tolerate: (bad) => told.push(bad) });
    down = true;
    await expect(image.read(level, whole)).rejects.toMatchObject({ code: "store-unavailable" });
    down = false;
    expect((await image.read(level, whole)).data).toHaveLength(size.width * size.height * 3);
    expect(told).toEqual([]);
  });

  it("of another format is refused as a whole", async () => {
    const path = join(folder, "half.png");
    const png = await sharp({ create: { ...size, channels: 3, background: "#c8a" } })
      .png()
      .toBuffer();
    await writeFile(path, png.subarray(0, png.length / 2));
    await expect(openTolerant(path)).rejects.toMatchObject({ code: "image-truncated" });
  });
});

const real = fileURLToPath(new URL("../../../../../../shared/data/odd-files/unreadable.svs", import.meta.url));
if (!existsSync(real)) console.warn(`The test with a real unreadable slide is skipped: there is no ${real}.`);

it.skipIf(!existsSync(real))("a real slide with an unreadable tile is white there and is read elsewhere", async () => {
  await using opened = await openTolerant(real);
  const { width, height } = opened.image.levels[0];
  const { data } = await opened.image.read(level, { x: 0, y: 0, width, height });
  expect(opened.told.length).toBeGreaterThan(0);
  for (const { rectangle } of opened.told) {
    const from = (rectangle.y * width + rectangle.x) * 3;
    expect(data.subarray(from, from + rectangle.width * 3).every((value) => value === 255)).toBe(true);
  }
});

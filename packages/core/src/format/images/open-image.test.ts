import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Sharp, TiffOptions } from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { levelIndex } from "../../geometry/units.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { openFileSource } from "../../io/file-source.ts";
import { observed } from "../../io/observed.ts";
import { defaultImageLimits } from "../image.ts";
import type { Pixels, SlideImage } from "../image.ts";
import { levelForResolution } from "./choose-level.ts";
import { openImage } from "./open-image.ts";
import { thumbnail } from "./thumbnail.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-images-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const size = { width: 301, height: 203 };

/** A picture with colour, edges and, if asked for, transparency. */
function picture(options: { channels: 1 | 3 | 4; wide: boolean }): Sharp {
  const { channels, wide } = options;
  const count = size.width * size.height * channels;
  const data = wide ? new Uint16Array(count) : new Uint8Array(count);
  for (let index = 0; index < count; index += 1) {
    const pixel = Math.floor(index / channels);
    const x = pixel % size.width;
    const y = Math.floor(pixel / size.width);
    const channel = index % channels;
    const value = 128 + 90 * Math.sin(x / (9 + channel)) * Math.cos(y / (13 - channel)) + (x > 150 === y > 90 ? 20 : 0);
    data[index] = wide ? Math.round(value * 257) + ((x * 7 + y) % 200) : value;
  }
  return sharp(data, { raw: { ...size, channels } }).toColourspace(
    channels === 1 ? (wide ? "grey16" : "b-w") : wide ? "rgb16" : "srgb",
  );
}

async function tiffFile(image: Sharp, options: TiffOptions): Promise<string> {
  const path = join(folder, `${Math.random()}.tif`);
  await image.tiff({ pyramid: false, ...options }).toFile(path);
  return path;
}

async function open(path: string, limits = defaultImageLimits): Promise<SlideImage> {
  return openImage(path, await openFileSource(path), { limits });
}

/** What libvips itself makes of a page. */
async function expected(path: string, options: { page?: number; wide?: boolean } = {}): Promise<Pixels> {
  const { page = 0, wide = false } = options;
  const { data, info } = await sharp(path, { page, ignoreIcc: true })
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace(wide ? "rgb16" : "srgb")
    .raw({ depth: wide ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const bytes = Uint8Array.from(data);
  const { width, height } = info;
  return wide
    ? { width, height, samples: "uint16", data: new Uint16Array(bytes.buffer) }
    : { width, height, samples: "uint8", data: bytes };
}

const whole = (image: SlideImage, level = 0): Promise<Pixels> => {
  const { width, height } = image.levels[level] ?? image.levels[0];
  return image.read(levelIndex(level), { x: 0, y: 0, width, height });
};

function largestDifference(a: Pixels, b: Pixels): number {
  expect([a.width, a.height, a.samples]).toEqual([b.width, b.height, b.samples]);
  let most = 0;
  for (const [index, value] of a.data.entries()) most = Math.max(most, Math.abs(value - (b.data[index] ?? Infinity)));
  return most;
}

/** The part of an image that a region is. */
function cropped(pixels: Pixels, area: { x: number; y: number; width: number; height: number }): number[] {
  const rows: number[] = [];
  for (let y = area.y; y < area.y + area.height; y += 1) {
    const from = (y * pixels.width + area.x) * 3;
    rows.push(...pixels.data.subarray(from, from + area.width * 3));
  }
  return rows;
}

const layouts: readonly TiffOptions[] = [{ tile: false }, { tile: true, tileWidth: 64, tileHeight: 48 }];
const compressions = ["none", "lzw", "deflate", "packbits", "jpeg"] as const;
const depths = [
  { channels: 1, wide: false },
  { channels: 3, wide: false },
  { channels: 4, wide: false },
  { channels: 1, wide: true },
  { channels: 3, wide: true },
] as const;
const cases = layouts.flatMap((layout) =>
  compressions.flatMap((compression) =>
    depths
      .filter(({ channels, wide }) => compression !== "jpeg" || (!wide && channels !== 4))
      .flatMap((depth) =>
        [false, true].map((bigtiff) => ({ ...layout, compression, bigtiff, ...depth, tile: layout.tile === true })),
      ),
  ),
);

describe("a TIFF", () => {
  it.each(cases)(
    "reads as libvips reads it: tile $tile, $compression, $channels channels, wide $wide, big $bigtiff",
    async ({ channels, wide, ...options }) => {
      const path = await tiffFile(picture({ channels, wide }), { ...options, predictor: "horizontal", quality: 90 });
      await using image = await open(path);
      const reference = await expected(path, { wide });
      expect(largestDifference(await whole(image), reference)).toBeLessThanOrEqual(
        options.compression === "jpeg" ? 1 : 0,
      );
      const area = { x: 61, y: 45, width: 77, height: 90 };
      const region = await image.read(levelIndex(0), area);
      expect(Array.from(region.data)).toEqual(cropped(await whole(image), area));
    },
  );

  it("composes 16-bit alpha over white", async () => {
    const path = await tiffFile(picture({ channels: 4, wide: true }), { compression: "deflate" });
    const { data } = await sharp(path)
      .toColourspace("rgb16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    const values = new Uint16Array(Uint8Array.from(data).buffer);
    await using image = await open(path);
    const pixels = await whole(image);
    const wanted = Array.from({ length: pixels.data.length }, (_, index) => {
      const at = Math.floor(index / 3) * 4;
      const alpha = (values[at + 3] ?? 0) / 65_535;
      return (values[at + (index % 3)] ?? 0) * alpha + 65_535 * (1 - alpha);
    });
    expect(wanted.every((value, index) => Math.abs(value - (pixels.data[index] ?? 0)) <= 1)).toBe(true);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("is turned as its orientation %i says, by regions too", async (orientation) => {
    const path = await tiffFile(picture({ channels: 3, wide: false }).withMetadata({ orientation }), {
      compression: "deflate",
      tile: true,
      tileWidth: 64,
      tileHeight: 48,
    });
    await using image = await open(path);
    const reference = await expected(path);
    expect(largestDifference(await whole(image), reference)).toBe(0);
    const area = { x: 20, y: 31, width: 130, height: 77 };
    expect(Array.from((await image.read(levelIndex(0), area)).data)).toEqual(cropped(reference, area));
  });

  it.each([false, true])("offers the levels of its pyramid, in SubIFDs: %s", async (inSubIfds) => {
    const path = await tiffFile(picture({ channels: 3, wide: false }), {
      compression: "deflate",
      tile: true,
      tileWidth: 64,
      tileHeight: 64,
      pyramid: true,
      xres: 2000,
      yres: 2000,
    });
    const reference = await expected(path, { page: 1 });
    if (inSubIfds) await writeFile(path, withSubIfds(await readFile(path)));
    await using image = await open(path);
    expect(image.levels.map(({ width, height }) => [width, height])).toEqual([
      [301, 203],
      [150, 101],
      [75, 50],
      [37, 25],
    ]);
    expect(largestDifference(await whole(image, 1), reference)).toBe(0);
    expect(image.micronsPerPixel).toBeCloseTo(0.5, 5);
    expect(levelForResolution(image, 1.1)).toBe(1);
    expect(await thumbnail(image, 64)).toMatchObject({ width: 64, height: 43 });
    expect(await thumbnail(image, 5)).toBeUndefined();
  });

  it("reads only the bytes of the tiles that a region needs, neighbours in one request", async () => {
    const path = await tiffFile(picture({ channels: 3, wide: false }), {
      compression: "none",
      tile: true,
      tileWidth: 64,
      tileHeight: 64,
    });
    const reads: number[] = [];
    const source = observed(await openFileSource(path), (bytes) => reads.push(bytes));
    await using image = await openImage(path, source);
    reads.length = 0;
    await image.read(levelIndex(0), { x: 10, y: 10, width: 100, height: 40 });
    expect(reads).toEqual([2 * 64 * 64 * 3]);
    await image.read(levelIndex(0), { x: 0, y: 0, width: 128, height: 64 });
    expect(reads).toHaveLength(1);
  });

  it("reads a large table of tiles in few requests", async () => {
    const path = join(folder, "many-tiles.tif");
    await sharp({ create: { width: 4_096, height: 4_096, channels: 3, background: "#fff" } })
      .tiff({ compression: "deflate", tile: true, tileWidth: 16, tileHeight: 16 })
      .toFile(path);
    const reads: number[] = [];
    const source = observed(await openFileSource(path), (bytes) => reads.push(bytes));
    await using image = await openImage(path, source);
    expect(image.levels).toHaveLength(1);
    expect(reads.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(2 ** 16 * 4);
    expect(reads.length).toBeLessThanOrEqual(6);
  });

  it("is refused when a level or tile has more pixels than the limits allow, naming the limit", async () => {
    const path = await tiffFile(picture({ channels: 3, wide: false }), { compression: "deflate", tile: true });
    await expect(open(path, { ...defaultImageLimits, levelPixels: 1000 })).rejects.toMatchObject({
      code: "image-too-large",
      message: expect.stringMatching(/the limit is 1000 pixels\. .*--max-level-pixels/u),
    });
    await expect(open(path, { ...defaultImageLimits, tilePixels: 1000 })).rejects.toMatchObject({
      code: "image-too-large",
      message: expect.stringMatching(/the limit is 1000 pixels\. .*--max-tile-pixels/u),
    });
  });
});

/** The pages behind the first moved from the chain into the first page's SubIFDs tag; little-endian, classic. */
function withSubIfds(file: Buffer): Buffer {
  const first = file.readUInt32LE(4);
  const endOf = (directory: number): number => directory + 2 + file.readUInt16LE(directory) * 12;
  const pages: number[] = [];
  for (let next = file.readUInt32LE(endOf(first)); next !== 0; next = file.readUInt32LE(endOf(next))) pages.push(next);
  const start = file.length + (file.length % 2);
  const entries = file.subarray(first + 2, endOf(first));
  const added = Buffer.alloc(12);
  added.writeUInt16LE(330, 0);
  added.writeUInt16LE(4, 2);
  added.writeUInt32LE(pages.length, 4);
  added.writeUInt32LE(start + 2 + entries.length + 12 + 4, 8);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(entries.length / 12 + 1);
  const offsets = Buffer.from(Uint32Array.from(pages).buffer);
  const moved = Buffer.concat([
    file,
    Buffer.alloc(start - file.length),
    count,
    entries,
    added,
    Buffer.alloc(4),
    offsets,
  ]);
  moved.writeUInt32LE(start, 4);
  return moved;
}

/** A classic little-endian TIFF of one directory, and of nothing else unless `body` has it. */
function handMade(options: { entries: [number, number, number, number][]; next?: number; body?: Buffer }): Buffer {
  const { entries, next = 0, body = Buffer.alloc(0) } = options;
  const file = Buffer.alloc(8 + 2 + entries.length * 12 + 4);
  file.write("II*\0", 0, "latin1");
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, count, value], index) => {
    file.writeUInt16LE(tag, 10 + index * 12);
    file.writeUInt16LE(type, 12 + index * 12);
    file.writeUInt32LE(count, 14 + index * 12);
    file.writeUInt32LE(value, 18 + index * 12);
  });
  file.writeUInt32LE(next, 10 + entries.length * 12);
  return Buffer.concat([file, body]);
}

const greyPage = (options: { offset: number; length: number; compression?: number; side?: number }) => {
  const { offset, length, compression = 1, side = 8 } = options;
  const entries: [number, number, number, number][] = [
    [256, 4, 1, side],
    [257, 4, 1, side],
    [258, 3, 1, 8],
    [259, 3, 1, compression],
    [262, 3, 1, 1],
    [277, 3, 1, 1],
    [322, 4, 1, 8],
    [323, 4, 1, 8],
    [324, 4, 1, offset],
    [325, 4, 1, length],
  ];
  return entries;
};

describe("a faulty image", () => {
  const openBytes = async (bytes: Uint8Array): Promise<SlideImage> => {
    const path = join(folder, `${Math.random()}.bin`);
    await writeFile(path, bytes);
    return open(path);
  };
  it.each([
    ["an empty file", Buffer.alloc(0), "image-not-an-image", /empty/u],
    ["text", Buffer.from("Dear all, attached is the slide."), "image-not-an-image", /does not start like/u],
    ["a GIF", Buffer.from("GIF89a.........."), "image-unsupported", /GIF/u],
    ["a TIFF of its header alone", Buffer.from("II*\0\x08\0\0\0", "latin1"), "image-truncated", /directory/u],
    [
      "a loop of directories",
      handMade({ entries: greyPage({ offset: 8, length: 64 }), next: 8 }),
      "image-corrupt",
      /loop/u,
    ],
    ["no width", handMade({ entries: greyPage({ offset: 8, length: 64, side: 0 }) }), "image-corrupt", /0x0/u],
    [
      "JPEG 2000",
      handMade({ entries: greyPage({ offset: 8, length: 64, compression: 33_005 }) }),
      "image-unsupported",
      /JPEG 2000.*33005.*OpenSlide/u,
    ],
    [
      "an array larger than the file",
      handMade({
        entries: [...greyPage({ offset: 8, length: 64 }).slice(0, 8), [324, 4, 4_000_000, 8], [325, 4, 1, 8]],
      }),
      "image-corrupt",
      /more than the file/u,
    ],
    [
      "too few tiles for its size",
      handMade({ entries: greyPage({ offset: 8, length: 64, side: 800 }) }),
      "image-corrupt",
      /needs 10000 tiles/u,
    ],
    [
      "more tiles than any slide has",
      handMade({ entries: greyPage({ offset: 8, length: 64, side: 40_000 }) }),
      "image-corrupt",
      /25000000 tiles/u,
    ],
    [
      "an absurd size",
      handMade({ entries: greyPage({ offset: 8, length: 64, side: 0xffff_ffff }) }),
      "image-too-large",
      /levelPixels/u,
    ],
  ])("%s is refused with a clear message", async (_, bytes, code, message) => {
    await expect(openBytes(bytes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("that ends within a tile names the tile and its bytes", async () => {
    await using image = await openBytes(handMade({ entries: greyPage({ offset: 134, length: 64 }) }));
    await expect(whole(image)).rejects.toMatchObject({
      code: "image-truncated",
      message: expect.stringMatching(/tile at column 0, row 0 of level 0 \(8x8 pixels at 0, 0; bytes 134 to 198\)/u),
    });
  });

  it.each([5, 7, 8])("with a damaged tile of compression %i names the tile", async (compression) => {
    const body = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 37 + 11) % 251));
    await using image = await openBytes(
      handMade({ entries: greyPage({ offset: 134, length: 64, compression }), body }),
    );
    await expect(whole(image)).rejects.toMatchObject({
      code: "image-corrupt",
      message: expect.stringMatching(/tile at column 0, row 0 of level 0 \(8x8 pixels at 0, 0; bytes 134 to 198\)/u),
    });
  });

  it("whose JPEG tile was copied in part names the tile", async () => {
    const path = await tiffFile(picture({ channels: 3, wide: false }), {
      compression: "jpeg",
      tile: true,
      tileWidth: 320,
      tileHeight: 208,
    });
    const bytes = await readFile(path);
    const end = bytes.indexOf(Buffer.from([0xff, 0xd9])) + 2;
    bytes.fill(0, end - 100, end);
    await using image = await openBytes(bytes);
    await expect(whole(image)).rejects.toMatchObject({
      code: "image-truncated",
      message: expect.stringMatching(/tile at column 0, row 0 of level 0 .* JPEG data end too early/u),
    });
  });

  it("that claims a value for every byte is read as far as a value is needed", async () => {
    const entries = greyPage({ offset: 0, length: 0 });
    const body = Buffer.alloc(1_000_000);
    const claims: [number, number, number, number] = [338, 1, body.length, 200];
    await using image = await openBytes(handMade({ entries: [...entries, claims], body }));
    expect(image.levels[0]).toMatchObject({ width: 8, height: 8 });
  });

  it("with a blank tile is white there", async () => {
    await using image = await openBytes(handMade({ entries: greyPage({ offset: 0, length: 0 }) }));
    expect((await whole(image)).data.every((value) => value === 255)).toBe(true);
  });

  it.each(["png", "jpeg", "webp"] as const)("a truncated %s is refused", async (format) => {
    const bytes = await picture({ channels: 3, wide: false }).toFormat(format).toBuffer();
    await expect(openBytes(bytes.subarray(0, bytes.length / 2))).rejects.toMatchObject({ code: "image-truncated" });
    await expect(openBytes(bytes.subarray(0, 30))).rejects.toMatchObject({ code: expect.stringMatching(/^image-/u) });
  });

  it("closes its source", async () => {
    let closed = 0;
    const source: ByteSource = {
      uri: "empty",
      size: 0,
      etag: "0",
      read: () => Promise.reject(new Error("nothing is read")),
      [Symbol.asyncDispose]: async () => void (closed += 1),
    };
    await expect(openImage("empty", source)).rejects.toMatchObject({ code: "image-not-an-image" });
    expect(closed).toBe(1);
  });
});

describe("an ordinary image", () => {
  it.each([
    ["png", 1, false],
    ["png", 3, false],
    ["png", 4, false],
    ["png", 3, true],
    ["jpeg", 3, false],
    ["webp", 4, false],
  ] as const)("reads as libvips reads it: %s with %i channels, wide %s", async (format, channels, wide) => {
    const path = join(folder, `${Math.random()}.${format}`);
    await picture({ channels, wide }).toFormat(format).toFile(path);
    await using image = await open(path);
    const reference = await expected(path, { wide });
    expect(largestDifference(await whole(image), reference)).toBe(0);
    const area = { x: 61, y: 45, width: 77, height: 90 };
    expect(Array.from((await image.read(levelIndex(0), area)).data)).toEqual(cropped(reference, area));
  });

  it("is turned as its Exif orientation says", async () => {
    const path = join(folder, "turned.jpg");
    await picture({ channels: 3, wide: false }).withMetadata({ orientation: 6 }).jpeg().toFile(path);
    await using image = await open(path);
    expect(image.levels[0]).toMatchObject({ width: 203, height: 301 });
    expect(largestDifference(await whole(image), await expected(path))).toBe(0);
  });

  it("of more pixels than the limit is refused before it is decoded", async () => {
    const path = join(folder, "large.png");
    await picture({ channels: 3, wide: false }).png().toFile(path);
    await expect(open(path, { ...defaultImageLimits, wholeImagePixels: 1000 })).rejects.toMatchObject({
      code: "image-too-large",
      message: expect.stringMatching(/the limit is 1000 pixels\. Convert it to a tiled TIFF\. .*--max-pixels/u),
    });
  });

  it("of more than 64 megapixels rests in a scratch file and reads the same", async () => {
    const path = join(folder, "huge.png");
    const side = { width: 8_200, height: 8_200 };
    await picture({ channels: 3, wide: false })
      .resize({ ...side, fit: "fill", kernel: "nearest" })
      .png({ compressionLevel: 1 })
      .toFile(path);
    const scratch = await mkdtemp(join(folder, "scratch-"));
    const area = { x: 4_000, y: 8_100, width: 200, height: 100 };
    const wanted = await sharp(path)
      .extract({ left: area.x, top: area.y, width: area.width, height: area.height })
      .raw()
      .toBuffer();
    await using image = await openImage(path, await openFileSource(path), { scratch });
    const region = await image.read(levelIndex(0), area);
    expect(Buffer.compare(wanted, Buffer.from(region.data.buffer))).toBe(0);
    // What is missing must not be taken from memory that was used before.
    const [file] = (await readdir(scratch, { recursive: true })).filter((name) => name.endsWith(".v"));
    if (file === undefined) throw new RangeError("The pixels rest in a file.");
    await truncate(join(scratch, file), 64 + side.width * 3 * area.y);
    await expect(image.read(levelIndex(0), area)).rejects.toMatchObject({
      code: "output-unwritable",
      message: expect.stringContaining("Is there space left in the scratch folder?"),
    });
  });

  it("knows no resolution, and says so when one is asked for", async () => {
    const path = join(folder, "plain.png");
    await picture({ channels: 3, wide: false }).png().toFile(path);
    await using image = await open(path);
    expect(() => levelForResolution(image, 0.5)).toThrow(/does not say its resolution/u);
  });
});

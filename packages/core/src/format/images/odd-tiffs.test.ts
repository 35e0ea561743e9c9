import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { levelIndex } from "../../geometry/units.ts";
import { openFileSource } from "../../io/file-source.ts";
import type { Pixels, SlideImage } from "../image.ts";
import { openImage } from "./open-image.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-odd-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const width = 20;
const height = 12;

interface Layout {
  readonly littleEndian: boolean;
  readonly bits: 8 | 16;
  readonly samples: number;
  readonly photometric: number;
  readonly planar?: boolean;
  readonly rowsPerStrip?: number;
  readonly extra?: number;
  readonly colorMap?: readonly number[];
}

/** An uncompressed TIFF whose sample `channel` at pixel `pixel` is `value(pixel, channel)`. */
function uncompressed(layout: Layout, value: (pixel: number, channel: number) => number): Buffer {
  const { littleEndian, bits, samples, rowsPerStrip = height, planar = false } = layout;
  const sampleBytes = bits / 8;
  const data = new DataView(new ArrayBuffer(width * height * samples * sampleBytes));
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < samples; channel += 1) {
      const index = planar ? channel * width * height + pixel : pixel * samples + channel;
      if (bits === 16) data.setUint16(index * 2, value(pixel, channel), littleEndian);
      else data.setUint8(index, value(pixel, channel));
    }
  }
  const strips = Math.ceil(height / rowsPerStrip) * (planar ? samples : 1);
  const rowBytes = width * sampleBytes * (planar ? 1 : samples);
  const counts = Array.from({ length: strips }, (_, index) => {
    const row = (index * rowsPerStrip) % (Math.ceil(height / rowsPerStrip) * rowsPerStrip);
    return Math.min(rowsPerStrip, height - row) * rowBytes;
  });
  let at = 8;
  const offsets = counts.map((count) => (at += count) - count);
  const entries: [number, 3 | 4, readonly number[]][] = [
    [256, 4, [width]],
    [257, 4, [height]],
    [258, 3, Array.from({ length: samples }, () => bits)],
    [259, 3, [1]],
    [262, 3, [layout.photometric]],
    [273, 4, offsets],
    [277, 3, [samples]],
    [278, 4, [rowsPerStrip]],
    [279, 4, counts],
    [284, 3, [planar ? 2 : 1]],
  ];
  if (layout.colorMap) entries.push([320, 3, layout.colorMap]);
  if (layout.extra !== undefined) entries.push([338, 3, [layout.extra]]);
  const directory = 8 + data.byteLength;
  let outside = directory + 2 + entries.length * 12 + 4;
  const file = new DataView(new ArrayBuffer(outside + 4_096));
  file.setUint16(0, littleEndian ? 0x4949 : 0x4d4d);
  file.setUint16(2, 42, littleEndian);
  file.setUint32(4, directory, littleEndian);
  new Uint8Array(file.buffer).set(new Uint8Array(data.buffer), 8);
  file.setUint16(directory, entries.length, littleEndian);
  entries.forEach(([tag, type, values], index) => {
    const entry = directory + 2 + index * 12;
    const bytes = type === 3 ? 2 : 4;
    file.setUint16(entry, tag, littleEndian);
    file.setUint16(entry + 2, type, littleEndian);
    file.setUint32(entry + 4, values.length, littleEndian);
    let to = entry + 8;
    if (values.length * bytes > 4) {
      file.setUint32(to, outside, littleEndian);
      to = outside;
      outside += values.length * bytes;
    }
    values.forEach((number, position) => {
      if (type === 3) file.setUint16(to + position * 2, number, littleEndian);
      else file.setUint32(to + position * 4, number, littleEndian);
    });
  });
  return Buffer.from(file.buffer);
}

async function read(file: Uint8Array): Promise<Pixels> {
  const path = join(folder, `${Math.random()}.tif`);
  await writeFile(path, file);
  await using image: SlideImage = await openImage(path, await openFileSource(path));
  return await image.read(levelIndex(0), { x: 0, y: 0, width, height });
}

const pixelsOf = (value: (pixel: number, channel: number) => number): number[] =>
  Array.from({ length: width * height * 3 }, (_, index) => value(Math.floor(index / 3), index % 3));

const rgb = (pixel: number, channel: number): number => (pixel * 7 + channel * 61) % 256;
const rgb16 = (pixel: number, channel: number): number => (pixel * 263 + channel * 6_151) % 65_536;

describe("an unusual TIFF", () => {
  it.each([true, false])("of 16 bits keeps its values, little-endian: %s", async (littleEndian) => {
    const file = uncompressed({ littleEndian, bits: 16, samples: 3, photometric: 2, rowsPerStrip: 5 }, rgb16);
    expect(Array.from((await read(file)).data)).toEqual(pixelsOf(rgb16));
  });

  it.each([height, 5])("with its samples in planes is read, %i rows a strip", async (rowsPerStrip) => {
    const file = uncompressed(
      { littleEndian: true, bits: 8, samples: 3, photometric: 2, planar: true, rowsPerStrip },
      rgb,
    );
    expect(Array.from((await read(file)).data)).toEqual(pixelsOf(rgb));
  });

  it.each([8, 16] as const)("whose minimum is white is inverted, %i bits", async (bits) => {
    const grey = (pixel: number): number => (bits === 8 ? rgb(pixel, 0) : rgb16(pixel, 0));
    const file = uncompressed({ littleEndian: false, bits, samples: 1, photometric: 0 }, grey);
    expect(Array.from((await read(file)).data)).toEqual(pixelsOf((pixel) => 2 ** bits - 1 - grey(pixel)));
  });

  it("with a palette shows its colours", async () => {
    const colorMap = Array.from({ length: 768 }, (_, index) => (((index % 256) * 3 + (index >> 8) * 50) % 256) * 257);
    const file = uncompressed({ littleEndian: true, bits: 8, samples: 1, photometric: 3, colorMap }, rgb);
    const colour = (pixel: number, channel: number): number => (colorMap[channel * 256 + rgb(pixel, 0)] ?? 0) / 257;
    expect(Array.from((await read(file)).data)).toEqual(pixelsOf(colour));
  });

  it("with a fourth sample that is no alpha drops it", async () => {
    const file = uncompressed({ littleEndian: true, bits: 8, samples: 4, photometric: 2, extra: 0 }, rgb);
    expect(Array.from((await read(file)).data)).toEqual(pixelsOf(rgb));
  });

  it.each([1, 2])("with alpha, associated or not (%i), lies over white", async (extra) => {
    const alpha = (pixel: number): number => (pixel * 11) % 256;
    const value = (pixel: number, channel: number): number => {
      if (channel === 3) return alpha(pixel);
      return extra === 2 ? rgb(pixel, channel) : Math.floor((rgb(pixel, channel) * alpha(pixel)) / 255);
    };
    const { data } = await read(
      uncompressed({ littleEndian: true, bits: 8, samples: 4, photometric: 2, extra }, value),
    );
    const wanted = pixelsOf((pixel, channel) => {
      const coverage = alpha(pixel) / 255;
      return (extra === 2 ? value(pixel, channel) * coverage : value(pixel, channel)) + 255 * (1 - coverage);
    });
    const worst = wanted.reduce((most, each, index) => Math.max(most, Math.abs(each - (data[index] ?? 0))), 0);
    expect(worst).toBeLessThanOrEqual(1.5);
  });

  it.each([
    ["32 bits", { bitsTag: 32 }, "image-unsupported"],
    ["CMYK", { photometric: 5 }, "image-unsupported"],
    ["seven samples a pixel", { samples: 7 }, "image-unsupported"],
  ] as const)("of %s is refused by name", async (_, options, code) => {
    const { samples = 3, photometric = 2 } = { samples: undefined, photometric: undefined, ...options };
    const file = uncompressed({ littleEndian: true, bits: 16, samples, photometric }, rgb16);
    if ("bitsTag" in options) {
      const at = file.indexOf(Buffer.from([16, 0, 16, 0, 16, 0]), 8 + width * height * samples * 2);
      for (let sample = 0; sample < samples; sample += 1) file.writeUInt16LE(options.bitsTag, at + sample * 2);
    }
    await expect(read(file)).rejects.toMatchObject({ code });
  });

  it("of one uncompressed strip is read by the rows that are needed", async () => {
    const side = 3_000;
    const path = join(folder, "one-strip.tif");
    const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
    const picture = sharp({ create: { width: side, height: side, channels: 3, background: "#fff", noise } });
    const raw = await picture.raw().toBuffer();
    const header = uncompressed({ littleEndian: true, bits: 8, samples: 3, photometric: 2 }, rgb);
    const directory = header.readUInt32LE(4);
    const file = Buffer.concat([header, raw]);
    const set = (tag: number, value: number): void => {
      for (let at = directory + 2; at < directory + 2 + 120; at += 12) {
        if (file.readUInt16LE(at) === tag) file.writeUInt32LE(value, at + 8);
      }
    };
    set(256, side);
    set(257, side);
    set(273, header.length);
    set(278, side);
    set(279, raw.length);
    await writeFile(path, file);
    await using image = await openImage(path, await openFileSource(path));
    const region = await image.read(levelIndex(0), { x: 1_000, y: 340, width: 500, height: 20 });
    const wanted = Buffer.concat(
      Array.from({ length: 20 }, (_, row) => raw.subarray(((340 + row) * side + 1_000) * 3).subarray(0, 1_500)),
    );
    expect(Buffer.compare(Buffer.from(region.data.buffer), wanted)).toBe(0);
  });
});

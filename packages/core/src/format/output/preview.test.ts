import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Scale } from "./assemble-map.ts";
import { writePreview } from "./preview.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-preview-"));
});
afterAll(() => rm(folder, { recursive: true }));

const size = { width: 400, height: 400 };

/** The preview of a map of these bytes. */
async function preview(name: string, byteAt: (x: number, y: number) => number, scale: Scale): Promise<string> {
  const mapPath = join(folder, `${name}.tif`);
  const data = Uint8Array.from({ length: 400 * 400 }, (_, i) => byteAt(i % 400, Math.floor(i / 400)));
  await sharp(data, { raw: { ...size, channels: 1 } })
    .toColourspace("b-w")
    .tiff({ tile: true, pyramid: true, compression: "deflate" })
    .toFile(mapPath);
  const path = join(folder, `${name}.jpg`);
  const thumbnail = { ...size, data: new Uint8Array(400 * 400 * 3).fill(200) };
  await writePreview({ kind: "preview", thumbnail, mapPath, mapSize: size, scale, lines: ["one line"], path });
  return path;
}

interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The mean colour of a part of a picture. */
async function colourOf(path: string, part: Part): Promise<Colour> {
  const { channels } = await sharp(await sharp(path).extract(part).png().toBuffer()).stats();
  const [red = 0, green = 0, blue = 0] = channels.map(({ mean }) => mean);
  return { red, green, blue };
}

/** The mean colour of the overlay of a map whose left half has one byte and whose right half another. */
async function overlay(name: string, bytes: readonly [number, number], scale: Scale): Promise<readonly Colour[]> {
  const path = await preview(name, (x) => bytes[x < 200 ? 0 : 1], scale);
  const at = (left: number): Promise<Colour> => colourOf(path, { left, top: 200, width: 40, height: 40 });
  // The image's panel begins at 16, the overlay's at 432.
  return [await at(432 + 80), await at(432 + 280)];
}

interface Colour {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

describe("the colours of a preview", () => {
  it("are blue against and red for the target, where a scale goes below zero", async () => {
    const [low, high] = await overlay("signed", [0, 255], { min: -1, max: 1 });
    expect((low?.blue ?? 0) - (low?.red ?? 0)).toBeGreaterThan(60);
    expect((high?.red ?? 0) - (high?.blue ?? 0)).toBeGreaterThan(60);
  });

  it("stay blue where all that shows is against the target, though the scale reaches far above zero", async () => {
    // -1 and -0.5 of a scale from -1 to 9: the few positive values are too few to show.
    const [most, less] = await overlay("against", [0, 13], { min: -1, max: 9 });
    for (const colour of [most, less]) expect(colour?.blue ?? 0).toBeGreaterThan((colour?.red ?? 0) + 10);
    expect((less?.red ?? 0) - (most?.red ?? 0)).toBeGreaterThan(20);
  });

  it("go from dark to bright where no value is below zero", async () => {
    const [low, high] = await overlay("sequential", [0, 255], { min: 0, max: 3 });
    const light = (colour: Colour | undefined): number =>
      (colour?.red ?? 0) + (colour?.green ?? 0) + (colour?.blue ?? 0);
    expect(light(high)).toBeGreaterThan(light(low));
    expect((high?.red ?? 0) - (high?.blue ?? 0)).toBeGreaterThan(40);
  });
});

describe("the colour bar of a preview", () => {
  // It begins right of both panels, and below one line of text.
  const [left, top] = [848, 54];
  const end = { left: left + 4, width: 10, height: 4 };

  it("has the colour of few pixels of a sign, and leaves the colours of the many as they are", async () => {
    // A quarter of a column is far above 0: fewer pixels than the bar leaves out at an end.
    const scale = { min: -2, max: 26 };
    const path = await preview("few", (x, y) => (x === 200 && y < 100 ? 255 : Math.round((x / 400) * 18)), scale);
    const [highest, lowest] = [
      await colourOf(path, { ...end, top: top + 1 }),
      await colourOf(path, { ...end, top: top + 395 }),
    ];
    expect(highest.red - highest.blue).toBeGreaterThan(60);
    expect(lowest.blue - lowest.red).toBeGreaterThan(60);
    const most = await colourOf(path, { left: 432 + 4, top: 200, width: 4, height: 40 });
    expect(most.blue - most.red).toBeGreaterThan(60);
  });

  it("leaves out a number that would be printed over another", async () => {
    const path = await preview("near", (x) => Math.round((x / 400) * 255), { min: -0.000377, max: 0.02 });
    // The place of the last number's first character, a minus of five by one pixels of the font.
    const place = { left: left + 26, top: top + 400 - 14, width: 10, height: 14 };
    const pixels = await sharp(path).extract(place).greyscale().raw().toBuffer();
    expect(pixels.filter((grey) => grey < 128).length).toBeLessThanOrEqual(20);
    expect(pixels.filter((grey) => grey < 128).length).toBeGreaterThan(10);
  });
});

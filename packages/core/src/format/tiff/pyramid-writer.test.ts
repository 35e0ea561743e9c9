import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Size } from "../../geometry/rectangle.ts";
import { createPyramid, tiffTile } from "./pyramid-writer.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-pyramid-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Band extends Size {
  readonly data: Uint8Array;
}

function noise(size: Size): Band {
  const data = new Uint8Array(size.width * size.height);
  for (let at = 0; at < data.length; at += 1) data[at] = Math.imul(at + 1, 2654435761) >>> 24;
  return { ...size, data };
}

async function write(name: string, { width, height, data }: Band): Promise<string> {
  const path = join(folder, `${name}.tif`);
  await using pyramid = createPyramid(path, { width, height });
  for (let top = 0; top < height; top += tiffTile) {
    await pyramid.addRows(data.slice(top * width, Math.min(top + tiffTile, height) * width));
  }
  await pyramid.finish();
  return path;
}

/** Means of 2x2 bytes; a single row or column stands for two. */
function halved({ width, height, data }: Band): Band {
  const size = { width: Math.max(1, width >> 1), height: Math.max(1, height >> 1) };
  const at = (x: number, y: number): number => data[Math.min(y, height - 1) * width + Math.min(x, width - 1)] ?? 0;
  const mean = (x: number, y: number): number =>
    Math.floor((at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1) + 2) / 4);
  const means = Uint8Array.from({ length: size.width * size.height }, (_, index) =>
    mean(2 * (index % size.width), 2 * Math.floor(index / size.width)),
  );
  return { ...size, data: means };
}

test.each([
  { width: 1, height: 1, pages: 1 },
  { width: 256, height: 256, pages: 1 },
  { width: 257, height: 255, pages: 2 },
  { width: 700, height: 1, pages: 3 },
  { width: 1, height: 700, pages: 3 },
  { width: 1111, height: 1301, pages: 4 },
])("libvips reads every level of $width x $height, each half of the one before", async ({ width, height, pages }) => {
  let level = noise({ width, height });
  const path = await write(`${width}x${height}`, level);
  expect((await sharp(path).metadata()).pages).toBe(pages);
  for (let page = 0; page < pages; page += 1) {
    const { data, info } = await sharp(path, { page }).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([level.width, level.height, 1]);
    expect(data.equals(level.data)).toBe(true);
    level = halved(level);
  }
});

test("a file that was not finished can't be read", async () => {
  const path = join(folder, "unfinished.tif");
  {
    await using pyramid = createPyramid(path, { width: 300, height: 300 });
    await pyramid.addRows(new Uint8Array(300 * 256));
  }
  await expect(sharp(path).metadata()).rejects.toThrow();
});

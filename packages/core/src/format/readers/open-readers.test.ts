import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import { levelIndex } from "../../geometry/units.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { openFileSource } from "../../io/file-source.ts";
import { thumbnailScale } from "../output/thumbnail.ts";
import type { Pixels, UnreadablePart } from "../image.ts";
import { openReaders } from "./open-readers.ts";
import type { ImageReaders } from "./open-readers.ts";
import { openTiled } from "./tiled-image.ts";
import type { TiledImage } from "./tiled-image.ts";

const size = { width: 700, height: 500 };
const level = levelIndex(0);

let folder = "";
let readers: ImageReaders;
/** By what is in them. */
const files = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-readers-"));
  readers = openReaders({ threads: 2 });
  const picture = (wide: boolean): ReturnType<typeof sharp> => {
    const count = size.width * size.height * 3;
    const data = wide ? new Uint16Array(count) : new Uint8Array(count);
    for (let index = 0; index < count; index += 1) data[index] = ((index * 31) % 199) * (wide ? 257 : 1);
    return sharp(data, { raw: { ...size, channels: 3 } }).toColourspace(wide ? "rgb16" : "srgb");
  };
  const tiled = { tile: true, tileWidth: 64, tileHeight: 64, compression: "deflate" } as const;
  const write = async (name: string, image: ReturnType<typeof sharp>): Promise<void> => {
    files.set(name, join(folder, name));
    await image.toFile(join(folder, name));
  };
  await write("picture.png", picture(false).png());
  await write("wide.png", picture(true).png());
  await write("slide.tif", picture(false).tiff({ ...tiled, pyramid: true }));
  await write("turned.tif", picture(true).withMetadata({ orientation: 6 }).tiff(tiled));
  const bytes = await readFile(fileOf("slide.tif"));
  files.set("damaged.tif", join(folder, "damaged.tif"));
  // Compressed data lie before the directories.
  await writeFile(fileOf("damaged.tif"), bytes.fill(0x5a, 2000, 9000));
  files.set("text.png", join(folder, "text.png"));
  await writeFile(fileOf("text.png"), "no picture");
});

afterAll(async () => {
  await readers[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function fileOf(name: string): string {
  return files.get(name) ?? "";
}

const threaded = async (name: string): Promise<TiledImage> => readers.open(name, await openFileSource(fileOf(name)));
const direct = async (name: string): Promise<TiledImage> => openTiled(name, await openFileSource(fileOf(name)));

/** What is known of an image without its functions. */
function knownOf({ read: _, readTile: __, [Symbol.asyncDispose]: ___, ...known }: TiledImage): unknown {
  return known;
}

/** What a promise is rejected with. */
async function faultOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** What of an error is told. */
function toldOf(error: unknown): unknown {
  if (!(error instanceof SlidelightError)) return error;
  const { code, message, detail, cause } = error;
  return { code, message, detail, cause: cause instanceof Error ? cause.message : cause };
}

/** In no time, where comparing a million samples one by one takes a second. */
function expectSame(found: Pixels | undefined, { data, ...expected }: Pixels): void {
  expect(found).toMatchObject(expected);
  expect(found?.data.length).toBe(data.length);
  const bytes = (samples: ArrayBufferView): Buffer =>
    Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  expect(bytes(found?.data ?? data.subarray(1)).equals(bytes(data))).toBe(true);
}

const parts = [
  { x: 0, y: 0, width: 300, height: 200 },
  { x: 130, y: 70, width: 333, height: 221 },
  { x: 0, y: 0, ...size },
];

describe("an image that a thread reads", () => {
  it.each(["picture.png", "wide.png", "slide.tif"])("is what it is on the caller's own: %s", async (name) => {
    await using here = await direct(name);
    await using there = await threaded(name);
    expect(knownOf(there)).toEqual(knownOf(here));
    const found = await Promise.all(parts.map((part) => there.read(level, part)));
    for (const [index, part] of parts.entries()) expectSame(found[index], await here.read(level, part));
    const lowest = there.levels.at(-1) ?? there.levels[0];
    const all = { x: 0, y: 0, width: lowest.width, height: lowest.height };
    expectSame(await there.read(lowest.index, all), await here.read(lowest.index, all));
  });

  it.each(["wide.png", "slide.tif"])("is read by the same tiles, with their parts of the preview: %s", async (name) => {
    await using here = await direct(name);
    await using there = await threaded(name);
    const core = { x: 512, y: 256, width: 256, height: 256 };
    const scale = thumbnailScale(size, { maxSide: 100, alignment: 256 });
    // The last column and row are repeated.
    const request = { level, rectangle: { x: 500, y: 244, width: 280, height: 280 }, thumbnail: { core, scale } };
    const [expected, found] = [await here.readTile(request), await there.readTile(request)];
    expectSame(found.pixels, expected.pixels);
    expect(found.thumbnail).toMatchObject({ left: 64, top: 32, width: 32, height: 32 });
    expect(Buffer.from(found.thumbnail?.data ?? []).equals(expected.thumbnail?.data ?? new Uint8Array(1))).toBe(true);
    expect(new Set(found.thumbnail?.data).size).toBeGreaterThan(1);
  });

  it("is turned as it says", async () => {
    await using here = await direct("turned.tif");
    await using there = await threaded("turned.tif");
    expect(there.levels[0]).toMatchObject({ width: size.height, height: size.width });
    const part = { x: 20, y: 130, width: 211, height: 333 };
    expectSame(await there.read(level, part), await here.read(level, part));
  });

  it("fails as it does there: code, message, and place", async () => {
    await using here = await direct("damaged.tif");
    await using there = await threaded("damaged.tif");
    const whole = { x: 0, y: 0, ...size };
    const [expected, found] = [await faultOf(here.read(level, whole)), await faultOf(there.read(level, whole))];
    expect(expected).toMatchObject({ code: "image-corrupt" });
    expect(found).toBeInstanceOf(SlidelightError);
    expect(toldOf(found)).toEqual(toldOf(expected));
    expect(toldOf(await faultOf(threaded("text.png")))).toEqual(toldOf(await faultOf(direct("text.png"))));
    await expect(there.read(level, { x: 0, y: 0, width: 701, height: 1 })).rejects.toBeInstanceOf(RangeError);
  });

  it("tells what is white because it is damaged", async () => {
    const told: { readonly here: UnreadablePart[]; readonly there: UnreadablePart[] } = { here: [], there: [] };
    const name = "damaged.tif";
    await using here = await openTiled(name, await openFileSource(fileOf(name)), {
      tolerate: (bad) => told.here.push(bad),
    });
    await using there = await readers.open(name, await openFileSource(fileOf(name)), {
      tolerate: (bad) => told.there.push(bad),
    });
    for (const part of parts) expectSame(await there.read(level, part), await here.read(level, part));
    expect(told.there.length).toBeGreaterThan(0);
    expect(told.there).toEqual(told.here);
  });
});

/** The file's bytes, with something done before each read, and a note of whether it was closed. */
async function watched(
  name: string,
  before: (signal: AbortSignal | undefined) => Promise<void>,
): Promise<ByteSource & { readonly closed: () => boolean }> {
  const source = await openFileSource(fileOf(name));
  let closed = false;
  return {
    ...source,
    closed: () => closed,
    read: async (range, options) => {
      await before(options?.signal);
      return source.read(range, options);
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await source[Symbol.asyncDispose]();
    },
  };
}

describe("the bytes of an image that a thread reads", () => {
  it("come from its opener, whose error it fails with, and are closed with it", async () => {
    let broken = false;
    const source = await watched("slide.tif", async () => {
      if (broken)
        throw new SlidelightError("store-unavailable", "Reading failed: the store is away.", { detail: { try: 3 } });
    });
    const image = await readers.open("slide.tif", source);
    broken = true;
    const fault = await faultOf(image.read(level, { x: 0, y: 0, ...size }));
    expect(fault).toMatchObject({
      code: "store-unavailable",
      message: "Reading failed: the store is away.",
      detail: { try: 3 },
    });
    expect(source.closed()).toBe(false);
    await image[Symbol.asyncDispose]();
    expect(source.closed()).toBe(true);
  });

  it.each(["picture.png", "slide.tif"])(
    "are counted, and are read there if they are a local file's: %s",
    async (name) => {
      const read = async (open: ImageReaders["open"], source: ByteSource): Promise<number> => {
        let bytes = 0;
        const onRead = (more: number): void => {
          bytes += more;
        };
        const image = await open(name, source, { onRead });
        await image.read(level, { x: 0, y: 0, ...size });
        await image[Symbol.asyncDispose]();
        return bytes;
      };
      const expected = await read(openTiled, await openFileSource(fileOf(name)));
      const here = await watched(name, async () => undefined);
      expect(await read(readers.open, here)).toBe(expected);
      const file = await openFileSource(fileOf(name));
      const unread: typeof file.read = () => Promise.reject(new Error("The thread reads it."));
      // The same object: what is around a file is not the file.
      expect(await read(readers.open, Object.assign(file, { read: unread }))).toBe(expected);
      expect(expected).toBeGreaterThan(1000);
    },
  );

  it("are met as changed where a local file is written to", async () => {
    const path = join(folder, "written.tif");
    await copyFile(fileOf("slide.tif"), path);
    await using image = await readers.open("written.tif", await openFileSource(path));
    await appendFile(path, "more");
    expect(await faultOf(image.read(level, { x: 0, y: 0, ...size }))).toMatchObject({ code: "image-changed" });
  });

  it("are closed where the image is not opened", async () => {
    const source = await watched("text.png", async () => undefined);
    expect(await faultOf(readers.open("text.png", source))).toMatchObject({ code: "image-not-an-image" });
    expect(source.closed()).toBe(true);
  });

  it("are waited for no longer once the signal aborts, and the signal of their read aborts too", async () => {
    let waits = false;
    let left = 0;
    const source = await watched("slide.tif", async (signal) => {
      if (!waits) return;
      await new Promise<void>((_, reject) => {
        signal?.addEventListener("abort", () => {
          left += 1;
          reject(signal.reason);
        });
      });
    });
    await using image = await readers.open("slide.tif", source);
    waits = true;
    const controller = new AbortController();
    const reading = image.read(level, { x: 0, y: 0, ...size }, { signal: controller.signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 50);
    expect(await faultOf(reading)).toBe(reason);
    await expect.poll(() => left).toBeGreaterThan(0);
    waits = false;
    expect(await image.read(level, { x: 0, y: 0, width: 10, height: 10 })).toMatchObject({ width: 10 });
    // Before it is opened.
    const opening = readers.open("slide.tif", await openFileSource(fileOf("slide.tif")), {
      signal: AbortSignal.abort(reason),
    });
    expect(await faultOf(opening)).toBe(reason);
  });
});

describe("threads that read", () => {
  it("fail what they were reading when they end", async () => {
    const own = openReaders({ threads: 1 });
    const image = await own.open("wide.png", await openFileSource(fileOf("wide.png")));
    await own[Symbol.asyncDispose]();
    expect(await faultOf(image.read(level, { x: 0, y: 0, width: 10, height: 10 }))).toMatchObject({
      message: "Reading wide.png failed: the thread that reads it has ended. Try it again.",
    });
    await image[Symbol.asyncDispose]();
  });

  it("are none where none are wanted: the caller's own reads", async () => {
    await using none = openReaders({ threads: 0 });
    await using image = await none.open("picture.png", await openFileSource(fileOf("picture.png")));
    expect(await image.read(level, { x: 0, y: 0, width: 10, height: 10 })).toMatchObject({ width: 10 });
  });
});

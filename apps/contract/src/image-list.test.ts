import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listImages } from "./image-list.ts";
import type { ImageListOptions } from "./image-list.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-list-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), "x");
  }
}

async function list(argument: string, options: Partial<ImageListOptions> = {}): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { uri, key } of listImages(argument, { folder, files: "lists", ...options })) {
    found.push(`${uri} ${key}`);
  }
  return found;
}

test("a folder stands for the images below it, by their extensions in any case", async () => {
  await write("slides/a.SVS", "slides/deep/b.tiff", "slides/notes.txt", "slides/png");
  expect(await list("slides/")).toEqual(["slides/a.SVS slides/a.SVS", "slides/deep/b.tiff slides/deep/b.tiff"]);
  expect(await list("slides", { extensions: ["txt"] })).toEqual(["slides/notes.txt slides/notes.txt"]);
  expect(await list(".")).toEqual(["slides/a.SVS slides/a.SVS", "slides/deep/b.tiff slides/deep/b.tiff"]);
});

test("what lies outside the working folder keeps its place, so that the same name in two folders is two keys", async () => {
  await write("archive/2025/x.svs", "archive/2026/x.svs");
  const archive = join(folder, "archive");
  const expected = [2025, 2026].map((year) => `${archive}/${year}/x.svs ${archive.slice(1)}/${year}/x.svs`);
  const elsewhere = { folder: join(folder, "elsewhere") };
  expect(await list(archive, elsewhere)).toEqual(expected);
  const lines = Readable.from([[2025, 2026].map((year) => `${archive}/${year}/x.svs`).join("\n")]);
  expect(await list("-", { ...elsewhere, input: lines })).toEqual(expected);
});

test("results of earlier runs are no images of the archive", async () => {
  const run = "slides/a.svs/0123456789abcdef0123456789abcdef";
  await write("slides/a.svs/preview.jpg", `${run}/map.tif`, `${run}/preview.jpg`, `${run}/other.tif`);
  expect((await list("slides")).map((line) => line.split(" ")[0])).toEqual([
    `${run}/other.tif`,
    "slides/a.svs/preview.jpg",
  ]);
});

test("a list names images and folders, with comments and blank lines between them", async () => {
  await write("slides/a.svs", "b c.png");
  const lines = "# two\n\n slides/ \r\nb c.png\ns3://bucket/é.tif\n";
  const expected = ["slides/a.svs slides/a.svs", "b c.png b c.png", "s3://bucket/é.tif é.tif"];
  expect(await list("-", { input: Readable.from([lines]) })).toEqual(expected);
  await writeFile(join(folder, "list.txt"), lines);
  expect(await list("list.txt")).toEqual(expected);
});

test("a list that breaks off is an error of what is read, not of the program", async () => {
  const input = Readable.from(
    (function* (): Generator<string> {
      yield "a.png\n";
      throw Object.assign(new Error("EACCES: permission denied, read"), { code: "EACCES" });
    })(),
  );
  await expect(list("-", { input })).rejects.toMatchObject({
    code: "store-denied",
    message: expect.stringContaining("Reading the list of standard input"),
  });
});

test("a list that is not there is an error; an image that is not there is found out when it is opened", async () => {
  await expect(list("list.txt")).rejects.toMatchObject({ code: "image-not-found" });
  expect(await list("missing.png")).toEqual(["missing.png missing.png"]);
});

import { mkdir, mkdtemp, readdir, rm, symlink, writeFile, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileStore } from "./file-store.ts";
import { temporaryName } from "./temporary-name.ts";
import { parseLocation } from "./location.ts";
import { objectStoreConformance } from "./object-store-conformance.ts";
import { openStore } from "./open.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let stores = 0;
objectStoreConformance("a folder", async () => {
  stores += 1;
  return openFileStore(join(folder, `store ${stores}`, "not made yet"));
});

describe("a folder as a store", () => {
  it("leaves no temporary files and does not list those of others", async () => {
    const root = join(folder, "temporary");
    const store = openStore(root);
    await store.put("a/b", Buffer.from("x"));
    await store.put("a/b", Buffer.from("y"), { ifAbsent: true });
    expect(await readdir(join(root, "a"))).toEqual(["b"]);
    await writeFile(join(root, "a", ".slidelight-tmp-crashed"), "half");
    const keys: string[] = [];
    for await (const { key } of store.list("")) keys.push(key);
    expect(keys).toEqual(["a/b"]);
  });

  it("lists what lies behind links, once where a link leads back, and nothing for a link to nothing", async () => {
    const root = join(folder, "links");
    const elsewhere = join(folder, "elsewhere");
    await openStore(root).put("a/b", Buffer.from("x"));
    await openStore(elsewhere).put("deep/c", Buffer.from("y"));
    await symlink(elsewhere, join(root, "linked"));
    await symlink(root, join(elsewhere, "back"));
    await symlink(join(elsewhere, "deep", "c"), join(root, "file"));
    await symlink(join(root, "nothing"), join(root, "dangling"));
    await symlink(join(root, "round"), join(root, "round"));
    const keys: string[] = [];
    for await (const { key } of openStore(root).list("")) keys.push(key);
    expect(keys).toEqual(["a/b", "file", "linked/deep/c"]);
  });

  it("gives up writes of processes that are gone, and old ones of nobody knows whom", async () => {
    const root = join(folder, "given-up");
    const store = openFileStore(root);
    for (const key of ["run/map.tif", "other/map.tif"]) await store.put(key, Buffer.from("x"));
    const dead = temporaryName().replace(`-${process.pid}-`, "-999999999-");
    const names = { mine: temporaryName(), dead, new: ".slidelight-tmp-new", old: ".slidelight-tmp-old" };
    for (const place of ["run", "other"]) {
      for (const name of Object.values(names)) await writeFile(join(root, place, name), "half");
    }
    const hoursAgo = new Date(Date.now() - 7_200_000);
    await utimes(join(root, "run", names.old), hoursAgo, hoursAgo);
    await store.giveUpWrites("run/");
    await store.giveUpWrites("nothing/");
    expect((await readdir(join(root, "run"))).sort()).toEqual([names.mine, names.new, "map.tif"].sort());
    expect(await readdir(join(root, "other"))).toHaveLength(5);
  });

  it("leaves the folders below alone where it is asked to", async () => {
    const root = join(folder, "given-up-here");
    const store = openFileStore(root);
    await store.put("run/map.tif", Buffer.from("x"));
    const dead = temporaryName().replace(`-${process.pid}-`, "-999999999-");
    for (const place of [".", "run"]) await writeFile(join(root, place, dead), "half");
    await store.giveUpWrites("model.onnx", { nested: false });
    expect(await readdir(root)).toEqual(["run"]);
    expect(await readdir(join(root, "run"))).toHaveLength(2);
  });

  it("keeps no folder that holds nothing any more", async () => {
    const root = join(folder, "emptied");
    const store = openFileStore(root);
    for (const key of ["a/b/one", "a/b/two", "a/c/three"]) await store.put(key, Buffer.from("x"));
    await store.delete("a/b/one");
    expect(await readdir(join(root, "a"))).toEqual(["b", "c"]);
    await store.delete("a/b/two");
    expect(await readdir(join(root, "a"))).toEqual(["c"]);
    await store.delete("a/c/three");
    expect(await readdir(root)).toEqual([]);
  });

  it("says that a key can't be written below a file or over a folder", async () => {
    const store = openFileStore(join(folder, "clash"));
    await store.put("file", Buffer.from("x"));
    await mkdir(join(folder, "clash", "folder"));
    await expect(store.put("file/below", Buffer.from("x"))).rejects.toMatchObject({
      code: expect.stringMatching(/^(key-invalid|output-unwritable)$/u),
    });
    await expect(store.put("folder", Buffer.from("x"))).rejects.toMatchObject({
      code: expect.stringMatching(/^(key-invalid|output-unwritable)$/u),
    });
    expect(await readdir(join(folder, "clash"))).toEqual(["file", "folder"]);
  });
});

describe("a location", () => {
  it.each([
    ["a/b c.tif", { kind: "file", path: "a/b c.tif" }],
    ["file:///tmp/a%20b", { kind: "file", path: "/tmp/a b" }],
    ["s3://bucket", { kind: "s3", bucket: "bucket", key: "" }],
    ["s3://bucket/", { kind: "s3", bucket: "bucket", key: "" }],
    ["s3://bucket/a b/ü%20.tif", { kind: "s3", bucket: "bucket", key: "a b/ü%20.tif" }],
  ])("is read from %j", (uri, location) => {
    expect(parseLocation(uri)).toEqual(location);
  });

  it.each(["", "s3://", "s3:///key", "http://host/a.tif", "file://other-host/a.tif", "a\0b"])(
    "is refused: %j",
    (uri) => {
      expect(() => parseLocation(uri)).toThrow(expect.objectContaining({ code: "usage" }));
    },
  );

  it.each([
    "s3://bk",
    "s3://bk/a.tif",
    "s3://-bucket/a",
    "s3://bucket./a",
    "s3://my bucket/a",
    `s3://${"b".repeat(256)}/a`,
  ])("is refused for the name of its bucket: %j", (uri) => {
    const message = expect.stringMatching(/is no bucket's name\. Expected 3 to 63/u);
    expect(() => parseLocation(uri)).toThrow(expect.objectContaining({ code: "key-invalid", message }));
  });

  it.each(["my.bucket-1", "Old_Bucket", "arn:aws:s3:eu-central-1:111122223333:accesspoint:slides"])(
    "may name the bucket %s",
    (bucket) => {
      expect(parseLocation(`s3://${bucket}/a.tif`)).toEqual({ kind: "s3", bucket, key: "a.tif" });
    },
  );
});

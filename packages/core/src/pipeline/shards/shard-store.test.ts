import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFinisher } from "../../format/output/finish.ts";
import { createShardFile, readShardIndex } from "../../format/output/shard-file.ts";
import { readStoredTile } from "../../format/output/stored-tile.ts";
import type { TileResult } from "../../format/output/shard-file.ts";
import { openFileStore } from "../../io/file-store.ts";
import { openShardFolder, openShardObjects } from "./shard-store.ts";
import type { ShardStore } from "./shard-store.ts";

const finisher = openFinisher();
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-shard-store-"));
});
afterAll(async () => {
  await finisher[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const result: TileResult = {
  tile: 7,
  core: { x: 3, y: 1, width: 3, height: 2 },
  statistics: new Map([
    ["sum", { kind: "sum", sum: Float64Array.of(0.1, -1e-300, Infinity) }],
    ["max", { kind: "max", max: Float64Array.of(-Infinity), row: Float64Array.of(4), column: Float64Array.of(5) }],
    ["lse", { kind: "log-sum-exp", max: Float64Array.of(3), scaled: Float64Array.of(1 / 3) }],
  ]),
  maps: new Map([
    ["narrow", { low: -0.1, high: 1e-30, samples: "uint16", data: Uint16Array.of(0, 1, 2, 3, 4, 65_535) }],
    ["wide", { low: -1, high: 1, samples: "float32", data: Float32Array.of(1, 2, 3, 4, 5, -0) }],
  ]),
  thumbnail: { left: 1, top: 2, width: 1, height: 1, data: Uint8Array.of(9, 8, 7) },
};

const part = { level: 0, rectangle: { x: 0, y: 0, width: 16, height: 16 }, code: "image-corrupt", message: "noise" };

/** A shard's file somewhere outside of any store. */
async function shardFile(name: string): Promise<string> {
  const path = join(folder, name);
  await using writer = await createShardFile(path, finisher);
  await writer.add(result);
  await writer.finish([part]);
  return path;
}

let count = 0;
const stores = {
  folder: () => openShardFolder(join(folder, `folder-${count}`)),
  "an object store's prefix": () => openShardObjects(openFileStore(join(folder, `objects-${count}`)), "work/id"),
};

describe.each(Object.entries(stores))("shards in a %s", (_, open) => {
  const fresh = async (): Promise<{ readonly store: ShardStore; readonly copies: string }> => {
    count += 1;
    const copies = join(folder, `copies-${count}`);
    await mkdir(copies);
    return { store: open(), copies };
  };

  it("are given back as they were taken, to the last bit", async () => {
    const { store, copies } = await fresh();
    const path = await shardFile(`taken-${count}`);
    const bytes = await readFile(path);
    await store.take("float32/0/0000.shard", path);
    await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
    const local = await store.fetch("float32/0/0000.shard", copies);
    expect(bytes.equals(await readFile(local))).toBe(true);
    await using source = await store.open("float32/0/0000.shard");
    const { tiles, unreadable } = await readShardIndex(source);
    expect(unreadable).toEqual([part]);
    const { maps, ...tile } = tiles[0] ?? { maps: new Map() };
    const values = [...maps].map(
      ([id, map]) => [id, readStoredTile({ ...map, path: local, core: result.core })] as const,
    );
    expect({ ...tile, maps: new Map(values) }).toEqual(result);
  });

  it("are named by what they start with", async () => {
    const { store } = await fresh();
    expect(await store.names("float32/0/")).toEqual(new Set());
    for (const name of ["float32/0/0000.shard", "float32/0/0001.shard", "float32/1/0000.shard"]) {
      await store.take(name, await shardFile(`named-${count}`));
    }
    expect(await store.names("float32/0/")).toEqual(new Set(["float32/0/0000.shard", "float32/0/0001.shard"]));
    expect(await store.names("float32/0/0001")).toEqual(new Set(["float32/0/0001.shard"]));
    await store.remove("float32/0/0001.shard");
    await store.remove("float32/0/0001.shard");
    expect(await store.names("float32/")).toEqual(new Set(["float32/0/0000.shard", "float32/1/0000.shard"]));
  });

  it("are not taken for whole when a byte is another, the end is missing or nothing is there", async () => {
    const { store: writer, copies } = await fresh();
    // As another process opens it: the one that wrote a file in a folder knows what is in it.
    const store = open();
    for (const damage of [
      (bytes: Buffer) => bytes.fill(bytes[12] === 1 ? 2 : 1, 12, 13),
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
      (bytes: Buffer) => bytes.subarray(0, 5),
      () => Buffer.alloc(0),
    ]) {
      const path = await shardFile(`damaged-${count}`);
      await writeFile(path, damage(await readFile(path)));
      await writer.take("a/0.shard", path);
      await expect(store.fetch("a/0.shard", copies)).rejects.toMatchObject({ code: "shard-invalid" });
      // Whoever looks for it next finds that it is missing.
      expect(await store.names("a/")).toEqual(new Set());
    }
    await expect(store.fetch("a/0.shard", copies)).rejects.toMatchObject({ code: "shard-invalid" });
    await expect(store.open("a/0.shard")).rejects.toMatchObject({ code: "shard-invalid" });
  });

  it("have one plan, that of who wrote it first", async () => {
    const { store } = await fresh();
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    expect(await store.read("plan.json")).toBeUndefined();
    const answers = await Promise.all(["one", "two", "three"].map((plan) => store.write("plan.json", text(plan))));
    expect(answers.toSorted()).toEqual(["exists", "exists", "written"]);
    const winner = ["one", "two", "three"][answers.indexOf("written")];
    expect(new TextDecoder().decode(await store.read("plan.json"))).toBe(winner);
  });

  it("leave nothing behind when they are cleared", async () => {
    const { store } = await fresh();
    await store.write("plan.json", new Uint8Array(3));
    await store.take("a/0.shard", await shardFile(`cleared-${count}`));
    await store.clear();
    expect(await store.names("")).toEqual(new Set());
    await store.clear();
    expect((await readdir(folder)).filter((name) => name === `folder-${count}`)).toEqual([]);
  });
});

import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileStore } from "../../io/file-store.ts";
import type { ObjectStore } from "../../io/object-store.ts";
import { commitRun, describeOutputs, filesUnder, readManifest } from "./commit.ts";
import { encodeManifest, parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-commit-"));
});
afterAll(() => rm(folder, { recursive: true }));

const template: Manifest = {
  schemaVersion: 1,
  runId: "run",
  image: { source: "a.tif", width: 3, height: 2, level: 0, etag: "e", bytes: 9 },
  model: { sha256: "s", mean: [0, 0, 0], std: [1, 1, 1] },
  method: "cam",
  target: "tumour",
  layer: "body",
  exact: true,
  exactReasons: [],
  classes: [{ name: "tumour", logit: 1.5, probability: 0.8 }],
  scale: { min: 0, max: 1 },
  statistics: { pooled: [[0.5]], sweeps: 1 },
  tiles: { width: 3, height: 2, columns: 1, rows: 1, kept: 1, stride: 1 },
  tissue: "off",
  outputs: [],
  provenance: { startedAt: "2026-01-01T00:00:00.000Z", seconds: {}, host: "h", engine: "e", versions: {} },
};

/** A run's local folder, with one file in a folder of its own, and its manifest. */
async function finished(name: string, map: string): Promise<{ readonly folder: string; readonly manifest: Manifest }> {
  const run = join(folder, name);
  await mkdir(join(run, "map.zarr"), { recursive: true });
  await writeFile(join(run, "map.tif"), map);
  await writeFile(join(run, "map.zarr", "zarr.json"), "{}");
  return { folder: run, manifest: { ...template, outputs: await describeOutputs(run, await filesUnder(run)) } };
}

describe("committing a run", () => {
  it("lists each file with its size and SHA-256, in order", async () => {
    const { manifest } = await finished("listed", "map");
    expect(manifest.outputs).toEqual([
      { path: "map.tif", bytes: 3, sha256: "60be9861750facbfad8758254a2f76c0cfe78d54459a3bc187d49b1401fcd8e8" },
      {
        path: "map.zarr/zarr.json",
        bytes: 2,
        sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      },
    ]);
  });

  it("puts the data first and the manifest last", async () => {
    const files = openFileStore(join(folder, "order"));
    const puts: string[] = [];
    const store: ObjectStore = {
      ...files,
      put: (key, body, options) => {
        puts.push(key);
        return files.put(key, body, options);
      },
      putFile: (key, path, options) => {
        puts.push(key);
        return files.putFile(key, path, options);
      },
    };
    expect(await commitRun({ store, key: "a.tif/run", ...(await finished("ordered", "map")) })).toBe("written");
    expect(puts).toEqual(["a.tif/run/map.tif", "a.tif/run/map.zarr/zarr.json", "a.tif/run/manifest.json"]);
  });

  it("leaves a committed run as it is, data and manifest", async () => {
    const store = openFileStore(join(folder, "second"));
    const key = "a.tif/run";
    await commitRun({ store, key, ...(await finished("first", "the first")) });
    expect(await commitRun({ store, key, ...(await finished("later", "another")) })).toBe("exists");
    expect(await readFile(join(folder, "second", key, "map.tif"), "utf8")).toBe("the first");
    expect((await readManifest(store, key))?.outputs[0]?.bytes).toBe("the first".length);
  });

  it("leaves no manifest when an output can't be put", async () => {
    const files = openFileStore(join(folder, "broken"));
    const refused = new Error("refused");
    const store: ObjectStore = { ...files, putFile: () => Promise.reject(refused) };
    const run = await finished("refused", "map");
    await expect(commitRun({ store, key: "a.tif/run", ...run })).rejects.toBe(refused);
    expect(await readManifest(files, "a.tif/run")).toBeUndefined();
    await expect(readdir(join(folder, "broken"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("puts nothing when its manifest can't be written", async () => {
    const { folder: run, manifest } = await finished("infinite", "map");
    const store = openFileStore(join(folder, "nothing"));
    const overflown = { ...manifest, scale: { min: 0, max: Infinity } };
    await expect(commitRun({ store, key: "a.tif/run", folder: run, manifest: overflown })).rejects.toMatchObject({
      code: "model-overflow",
    });
    await expect(readdir(join(folder, "nothing"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("puts nothing once its signal is aborted", async () => {
    const store = openFileStore(join(folder, "aborted"));
    const signal = AbortSignal.abort(new Error("stop"));
    const run = await finished("stopped", "map");
    await expect(commitRun({ store, key: "a.tif/run", ...run, signal })).rejects.toThrow("stop");
    expect(await readManifest(store, "a.tif/run")).toBeUndefined();
  });
});

describe("a manifest", () => {
  it("reads back as it was written, the same bytes every time", () => {
    const bytes = encodeManifest(template);
    expect(parseManifest(bytes, "m.json")).toEqual(template);
    expect(encodeManifest(parseManifest(bytes, "m.json"))).toEqual(bytes);
  });

  it.each([Number.NaN, Infinity])("that holds %s is refused, because JSON would turn it into null", (logit) => {
    const manifest = { ...template, classes: [{ name: "tumour", logit, probability: 0.8 }] };
    expect(() => encodeManifest(manifest)).toThrow(/classes\.0\.logit/);
  });

  it("names every field that is not as the schema says", () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...template, schemaVersion: 2, scale: { min: 0 } }));
    expect(() => parseManifest(bytes, "m.json")).toThrow(/m\.json.*schemaVersion.*scale\.max/s);
    expect(() => parseManifest(new TextEncoder().encode("{"), "m.json")).toThrow(/expected JSON/);
  });
});

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  advanceImage,
  encodeOnnx,
  explainImage,
  explainShard,
  forgetWork,
  makerOf,
  openEngine,
  openSource,
  openStore,
  parseManifest,
  readOnnx,
  shardLimits,
  SlidelightError,
  unetGraph,
  unetParameters,
} from "@slidelight/core";
import type {
  Engine,
  ExplanationResources,
  ExplanationResult,
  ExplanationSettings,
  Model,
  ObjectStore,
  PipelineEvent,
  UNetSettings,
} from "@slidelight/core";
import { renderTissue } from "@slidelight/synthesis";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withoutTile } from "./damaged-tiff.ts";

let folder = "";
let engine: Engine;
const size = { width: 211, height: 187 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-shards-"));
  engine = await openEngine({ engine: "onnxruntime", threads: 2 });
  const { rgb } = renderTissue({ x: 40, y: 90, ...size }, { seed: 3, atypical: 0.6 });
  await sharp(rgb, { raw: { ...size, channels: 3 } })
    .png()
    .toFile(join(folder, "tissue.png"));
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function unet(settings: Partial<UNetSettings> = {}): Model {
  const all: UNetSettings = {
    depth: 1,
    baseChannels: 4,
    decoder: true,
    classes: 3,
    // Two sweeps: the power's mean is known after the first.
    pool: { kind: "generalised-mean", power: 3 },
    pooled: "features",
    upsampling: "transposed",
    seed: 5,
    ...settings,
  };
  return readOnnx(encodeOnnx(unetGraph(all, unetParameters(all), { width: 64, height: 64 }), { dynamicAxes: true }));
}

const settings: ExplanationSettings = {
  methods: ["hires-cam", "saliency"],
  targets: ["top1"],
  tissue: "off",
  tile: 32,
};

const image = () => {
  const uri = join(folder, "tissue.png");
  return { uri, key: "tissue.png", open: () => openSource(uri) };
};

interface Place extends ExplanationResources {
  readonly events: PipelineEvent[];
  readonly out: string;
}

let places = 0;
/** Output and scratch of its own. */
function place(changes: Partial<ExplanationResources> = {}): Place {
  places += 1;
  const events: PipelineEvent[] = [];
  const out = join(folder, `out-${places}`);
  return {
    engine,
    model: unet(),
    output: openStore(out),
    scratch: join(folder, `scratch-${places}`),
    observe: (event) => events.push(event),
    events,
    out,
    ...changes,
  };
}

const tilesDone = ({ events }: Place): number => events.filter(({ kind }) => kind === "tile-done").length;

/** Everything of the results that must not differ: each file's hash, and the manifest without its provenance. */
async function resultOf(results: readonly ExplanationResult[]): Promise<readonly object[]> {
  return Promise.all(
    results.map(async (result) => {
      if (result.status === "failed") throw result.error;
      const { provenance: _, ...manifest } = parseManifest(
        await readFile(join(result.output, "manifest.json")),
        result.output,
      );
      for (const { path, bytes } of manifest.outputs) {
        expect((await readFile(join(result.output, path))).length).toBe(bytes);
      }
      return manifest;
    }),
  );
}

interface CalmRun {
  readonly result: readonly object[];
  readonly tiles: number;
}

let calmRun: Promise<CalmRun> | undefined;
/** What the image gives without any fault: computed once. */
function calm(): Promise<CalmRun> {
  const explain = async (): Promise<CalmRun> => {
    const own = place();
    return { result: await resultOf(await explainImage(image(), settings, own)), tiles: tilesDone(own) };
  };
  calmRun ??= explain();
  return calmRun;
}

/** Files below a folder; none when it is not there. */
async function filesIn(path: string): Promise<readonly string[]> {
  await mkdir(path, { recursive: true });
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1));
}

/** So small that each tile or two is a shard. */
const limits = { ...shardLimits, seconds: 1e-4 };

test("an image that is given up goes on where it was: no shard twice, the same bytes", async () => {
  const { result, tiles } = await calm();
  const own = place();
  let after = 0;
  let runs = 0;
  for (;;) {
    runs += 1;
    const abort = new AbortController();
    let seen = 0;
    const observe = (event: PipelineEvent): void => {
      own.events.push(event);
      if (event.kind === "tile-done" && (seen += 1) === 11) abort.abort(new Error("enough"));
    };
    try {
      const results = await explainImage(image(), settings, { ...own, observe }, { signal: abort.signal });
      expect(await resultOf(results)).toEqual(result);
      break;
    } catch (error) {
      expect(error).toMatchObject({ message: "enough" });
      after += 1;
    }
  }
  expect(after).toBeGreaterThan(3);
  // Of each run that was given up, at most the tiles in flight are computed again.
  expect(tilesDone(own)).toBeLessThanOrEqual(tiles + (runs - 1) * 6);
  expect(await filesIn(own.scratch)).toEqual([]);
});

test("an image of one tile keeps the map of the target alone, and goes on with it: the same bytes", async () => {
  const whole: ExplanationSettings = { ...settings, methods: ["hires-cam"], tile: 256 };
  const reference = place();
  const result = await resultOf(await explainImage(image(), whole, reference));
  const own = place();
  const abort = new AbortController();
  const observe = (event: PipelineEvent): void => {
    if (event.kind === "shard-done" && event.sweep === 1) abort.abort(new Error("enough"));
  };
  await expect(explainImage(image(), whole, { ...own, observe }, { signal: abort.signal })).rejects.toThrow("enough");
  const shards = (await filesIn(own.scratch)).filter((path) => path.endsWith(".shard"));
  const bytes = await Promise.all(
    shards.toSorted().map(async (path) => (await readFile(join(own.scratch, path))).length),
  );
  // Of 16 bits; the other two classes' maps would be as large again, each.
  const oneMap = size.width * size.height * 2;
  expect(bytes).toHaveLength(2);
  expect(bytes[1]).toBeGreaterThan(oneMap);
  expect(bytes[1]).toBeLessThan(2 * oneMap);
  expect(await resultOf(await explainImage(image(), whole, own))).toEqual(result);
  expect(tilesDone(own)).toBe(0);
  expect(tilesDone(reference)).toBe(2);
});

test("shards that anybody computes in any order give the bytes of a single explain", async () => {
  const { result } = await calm();
  const own = place();
  let rounds = 0;
  let shards = 0;
  for (;;) {
    const progress = await advanceImage(image(), settings, own, { shared: { limits, begun: rounds > 0 } });
    if (progress.kind === "explained") {
      expect(await resultOf(progress.results)).toEqual(result);
      break;
    }
    rounds += 1;
    shards += progress.shards.length;
    expect(new Set(progress.shards.map(({ sweep }) => sweep))).toEqual(new Set([rounds - 1]));
    // Another process: with nothing but the store in common.
    for (const shard of progress.shards.toReversed()) {
      const worker = place({ output: own.output });
      const computed = { work: progress.work, ...shard };
      expect(await explainShard(image(), settings, worker, computed)).toBe("computed");
      expect(await explainShard(image(), settings, worker, computed)).toBe("known");
      expect(await filesIn(worker.scratch)).toEqual([]);
    }
  }
  expect({ rounds, many: shards > 20 }).toEqual({ rounds: 2, many: true });
  expect((await filesIn(own.out)).filter((path) => path.startsWith(".slidelight"))).toEqual([]);
});

test("a shard that is damaged or lost is computed again, and nothing else is", async () => {
  const { result } = await calm();
  const own = place();
  const shared = { limits, begun: true };
  const complete = async (): Promise<number> => {
    let computed = 0;
    for (;;) {
      const progress = await advanceImage(image(), settings, own, { shared });
      if (progress.kind === "explained") {
        expect(await resultOf(progress.results)).toEqual(result);
        return computed;
      }
      for (const shard of progress.shards) {
        await explainShard(image(), settings, own, { work: progress.work, ...shard });
        computed += 1;
      }
      if (progress.shards.some(({ sweep }) => sweep === 1) && computed > 2) {
        const [first = "", second = ""] = (await filesIn(own.out)).filter((path) => /float32\/1\/.*shard$/u.test(path));
        const bytes = await readFile(join(own.out, first));
        bytes[20] = 255 - (bytes[20] ?? 0);
        await writeFile(join(own.out, first), bytes);
        await rm(join(own.out, second));
        const next = await advanceImage(image(), settings, own, { shared });
        if (next.kind !== "divided") throw new Error("Two shards were missing.");
        // The lost one is seen at once, the damaged one when all are there.
        expect(next.shards).toHaveLength(1);
        for (const shard of next.shards) await explainShard(image(), settings, own, { work: next.work, ...shard });
        const last = await advanceImage(image(), settings, own, { shared });
        if (last.kind !== "divided") throw new Error("One shard was damaged.");
        expect(last.shards).toHaveLength(1);
        for (const shard of last.shards) await explainShard(image(), settings, own, { work: last.work, ...shard });
      }
    }
  };
  expect(await complete()).toBeGreaterThan(20);
});

test("a worker that must leave a shard saves its tiles for the next one", async () => {
  const { result } = await calm();
  const own = place();
  // A sweep takes two shards' time.
  const speeds = { of: () => (size.width * size.height) / (2 * shardLimits.seconds), record: () => undefined };
  const begin = { shared: { limits: shardLimits, begun: false } };
  const progress = await advanceImage(image(), settings, { ...own, speeds }, begin);
  if (progress.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const [shard] = progress.shards;
  if (shard === undefined) throw new Error("There is no shard.");
  const leaving = place({ output: own.output });
  const abort = new AbortController();
  const observe = (event: PipelineEvent): void => {
    leaving.events.push(event);
    if (tilesDone(leaving) === 8) abort.abort(new Error("leave"));
  };
  const request = { work: progress.work, ...shard };
  await expect(
    explainShard(image(), settings, { ...leaving, observe }, { ...request, signal: abort.signal }),
  ).rejects.toThrow("leave");
  const next = place({ output: own.output });
  expect(await explainShard(image(), settings, next, request)).toBe("computed");
  const planned = next.events.find((event) => event.kind === "image-planned");
  expect(planned?.tiles).toBeGreaterThan(10);
  expect(tilesDone(next)).toBeLessThan(planned?.tiles ?? 0);
  for (const other of progress.shards.slice(1)) {
    await explainShard(image(), settings, own, { work: progress.work, ...other });
  }
  for (;;) {
    const last = await advanceImage(image(), settings, own, { shared: { limits, begun: true } });
    if (last.kind === "explained") {
      expect(await resultOf(last.results)).toEqual(result);
      break;
    }
    for (const left of last.shards) await explainShard(image(), settings, own, { work: last.work, ...left });
  }
});

test("a store that does not say whether results are there costs no shard, and settles nothing", async () => {
  const { result } = await calm();
  const own = place();
  const shared = { limits, begun: true };
  const advance = (changes: Partial<ExplanationResources> = {}) =>
    advanceImage(image(), settings, { ...own, ...changes }, { shared });
  const first = await advance();
  if (first.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const { work, shards } = first;
  const [last, ...others] = shards.toReversed();
  if (last === undefined) throw new Error("There is no shard.");
  for (const shard of others) await explainShard(image(), settings, own, { work, ...shard });

  const silent = new SlidelightError("store-unavailable", "Looking up the manifest failed: no answer.");
  const head: ObjectStore["head"] = (key, options) =>
    key.endsWith("/manifest.json") ? Promise.reject(silent) : own.output.head(key, options);
  const output = { ...own.output, head };
  const before = await filesIn(own.out);
  expect(before.filter((path) => path.endsWith(".shard"))).toHaveLength(others.length);
  await expect(explainShard(image(), settings, { ...own, output }, { work, ...last })).rejects.toBe(silent);
  await expect(advance({ output })).rejects.toBe(silent);
  // As a job that goes on with what it knows to be begun.
  const previous = { work, maker: makerOf(engine), awaited: true };
  await expect(advanceImage(image(), settings, { ...own, output }, { shared: { ...shared, previous } })).rejects.toBe(
    silent,
  );
  expect(await filesIn(own.out)).toEqual(before);

  expect(await explainShard(image(), settings, own, { work, ...last })).toBe("computed");
  for (;;) {
    const progress = await advance();
    if (progress.kind === "explained") {
      expect(await resultOf(progress.results)).toEqual(result);
      break;
    }
    expect(new Set(progress.shards.map(({ sweep }) => sweep))).toEqual(new Set([1]));
    for (const shard of progress.shards) await explainShard(image(), settings, own, { work, ...shard });
  }
});

test("a manifest that is damaged fails its own run, says what to do, and leaves the others alone", async () => {
  const { result } = await calm();
  const own = place();
  const [one, other] = await explainImage(image(), settings, own);
  if (one?.status !== "done" || other?.status !== "done") throw new Error("Both are new.");
  await writeFile(join(one.output, "manifest.json"), "{");
  await rm(join(other.output, "manifest.json"));
  const again = await explainImage(image(), settings, own);
  expect(again).toMatchObject([
    {
      status: "failed",
      error: { code: "job-invalid", message: expect.stringMatching(/manifest\.json: expected JSON.*Remove it/u) },
    },
    { status: "done" },
  ]);
  await rm(join(one.output, "manifest.json"));
  expect(await resultOf(await explainImage(image(), settings, own))).toEqual(result);
});

test("what could not be read of a shard that another one goes on with stands in the manifest", async () => {
  const tolerant: ExplanationSettings = { ...settings, methods: ["hires-cam"], tolerateBadTiles: true };
  const path = join(folder, "damaged.tif");
  const { rgb } = renderTissue({ x: 40, y: 90, ...size }, { seed: 3, atypical: 0.6 });
  await sharp(rgb, { raw: { ...size, channels: 3 } })
    .tiff({ tile: true, tileWidth: 64, tileHeight: 64, compression: "deflate" })
    .toFile(path);
  await writeFile(path, withoutTile(await readFile(path), 0));
  const damaged = { uri: path, key: "damaged.tif", open: () => openSource(path) };
  const expected = await resultOf(await explainImage(damaged, tolerant, place()));
  expect(expected).toMatchObject([{ unreadable: [{ x: 0, y: 0, width: 64, height: 64 }] }]);

  const own = place();
  for (const sweep of [0, 1]) {
    const abort = new AbortController();
    let seen = 0;
    const observe = (event: PipelineEvent): void => {
      // When tiles with the damage are done, and the shard is not.
      if (event.kind === "tile-done" && event.sweep === sweep && (seen += 1) === 20) abort.abort(new Error("enough"));
    };
    const given = explainImage(damaged, tolerant, { ...own, observe }, { signal: abort.signal });
    await expect(given).rejects.toThrow("enough");
  }
  expect(await resultOf(await explainImage(damaged, tolerant, own))).toEqual(expected);
});

test("two that explain the same image at once do no harm", async () => {
  const { result } = await calm();
  const one = place();
  const other = place({ output: one.output, parts: one.scratch });
  const [first, second] = await Promise.all([
    explainImage(image(), settings, one),
    explainImage(image(), settings, other),
  ]);
  expect(await resultOf(first)).toEqual(result);
  expect(await resultOf(second)).toEqual(result);
});

test("a shard of an image that is over is no work, and leaves nothing", async () => {
  const own = place();
  const progress = await advanceImage(image(), settings, own, { shared: { limits, begun: false } });
  if (progress.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const [shard] = progress.shards;
  if (shard === undefined) throw new Error("There is no shard.");
  await forgetWork(own.output, progress.work);
  expect(await explainShard(image(), settings, own, { work: progress.work, ...shard })).toBe("known");
  expect(await filesIn(own.out)).toEqual([]);
});

test("a shard whose image is finished meanwhile is not kept", async () => {
  const own = place();
  const progress = await advanceImage(image(), settings, own, { shared: { limits, begun: false } });
  if (progress.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const [shard] = progress.shards;
  if (shard === undefined) throw new Error("There is no shard.");
  let forgotten: Promise<void> | undefined;
  const observe = ({ kind }: PipelineEvent): void => {
    if (kind === "tile-done") forgotten ??= forgetWork(own.output, progress.work);
  };
  const computed = explainShard(image(), settings, { ...own, observe }, { work: progress.work, ...shard });
  await expect(computed).rejects.toMatchObject({ code: "shard-invalid" });
  await forgotten;
  expect(await filesIn(own.out)).toEqual([]);
});

test("a shard is refused by a worker whose engine differs from the plan's", async () => {
  const own = place();
  const progress = await advanceImage(image(), settings, own, { shared: { limits, begun: false } });
  if (progress.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const [shard] = progress.shards;
  if (shard === undefined) throw new Error("There is no shard.");
  const other = { ...own, engine: { ...engine, version: "another" } };
  await expect(explainShard(image(), settings, other, { work: progress.work, ...shard })).rejects.toMatchObject({
    code: "engine-differs",
  });
});

/** As `engine`, but nobody knows that. */
const otherEngine = (): Engine => ({ ...engine, version: "another" });
/** A sweep is two shards. */
const halves = { of: () => (size.width * size.height) / (2 * shardLimits.seconds), record: () => undefined };

test("what another engine began is put together by anyone, once its own workers have computed the shards", async () => {
  const { result } = await calm();
  const own = place({ speeds: halves });
  const other = place({ output: own.output, engine: otherEngine() });
  const begin = await advanceImage(image(), settings, own, { shared: { limits: shardLimits, begun: false } });
  if (begin.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const { work, maker } = begin;
  expect(maker).toEqual(makerOf(engine));
  for (const shard of begin.shards) await explainShard(image(), settings, own, { work, ...shard });
  const previous = { work, maker, awaited: true };
  const next = await advanceImage(image(), settings, other, { shared: { limits: shardLimits, begun: true, previous } });
  if (next.kind !== "divided") throw new Error("The second sweep was not asked for.");
  expect({ work: next.work, maker: next.maker, sweep: next.shards[0]?.sweep }).toEqual({ work, maker, sweep: 1 });
  for (const shard of next.shards) await explainShard(image(), settings, own, { work, ...shard });
  // Nobody with its engine is needed any more.
  const last = await advanceImage(image(), settings, other, {
    shared: { limits: shardLimits, begun: true, previous: { ...previous, awaited: false } },
  });
  if (last.kind !== "explained") throw new Error("Nothing was missing.");
  expect(await resultOf(last.results)).toEqual(result);
  expect(tilesDone(other)).toBe(0);
  const [made] = last.results;
  if (made?.status !== "done") throw new Error("It was made just now.");
  const { provenance } = parseManifest(await readFile(join(made.output, "manifest.json")), made.output);
  expect(provenance.engine).toContain(engine.version);
  expect((await filesIn(own.out)).filter((path) => path.startsWith(".slidelight"))).toEqual([]);
});

test("what another engine began is begun anew where shards are missing that nobody computes, and nothing of it stays", async () => {
  const own = place({ speeds: halves });
  const other = place({ output: own.output, engine: otherEngine(), speeds: halves });
  const begin = await advanceImage(image(), settings, own, { shared: { limits: shardLimits, begun: false } });
  if (begin.kind !== "divided") throw new Error("The image was too fast to be divided.");
  const { work, maker, shards } = begin;
  await explainShard(image(), settings, own, { work, precision: "float32", sweep: 0, shard: 0 });
  const previous = { work, maker, awaited: false };
  const anew = await advanceImage(image(), settings, other, { shared: { limits: shardLimits, begun: true, previous } });
  if (anew.kind !== "divided") throw new Error("The image was too fast to be divided.");
  expect(anew.work).not.toBe(work);
  expect(anew.maker).toEqual(makerOf(otherEngine()));
  expect(anew.shards).toHaveLength(shards.length);
  const kept = (await filesIn(own.out)).filter((path) => path.startsWith(".slidelight"));
  expect(kept.filter((path) => !path.includes(anew.work))).toEqual([]);
  expect(kept).not.toEqual([]);
});

import { planShards, shardLimits } from "@slidelight/core";
import { describe, expect, test } from "vitest";
import { loadSimulateConfig } from "./config.ts";
import type { ImageJobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import { jobBytes } from "./redis-memory.ts";
import { divideSlide } from "./shard-plan.ts";
import { simulateNight } from "./simulate.ts";
import { summaryOf } from "./summary.ts";

const nightOf = (flags: Readonly<Record<string, string>>): Night =>
  loadSimulateConfig({}, { slides: "400", workers: "cpu:20", poisoned: "0", failureRate: "0", ...flags }).night;

/** Everything that goes wrong, often. */
const bad = { poisoned: "0.02", failureRate: "0.1", preemption: "0.9", killed: "0.5", replacement: "10" };

function play(night: Night) {
  const ended: ImageJobState[] = [];
  const result = simulateNight(night, { onSlide: (image) => ended.push(image) });
  return { ...result, ended };
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const pixelsOf = (images: readonly ImageJobState[]): number =>
  sumOf(images.filter(({ outcome }) => outcome === "done").map(({ tiles }) => sumOf(tiles.pixels)));

describe.each([
  ["a good night", {}],
  ["a bad night", bad],
  ["a bad night of two sweeps", { ...bad, sweeps: "2" }],
  ["a bad night with few attempts", { ...bad, attempts: "1", losses: "0" }],
  ["a bad night of a fast class", { ...bad, workers: "gpu:3", slides: "3000" }],
  ["slides that come one by one", { ...bad, arrival: "20" }],
])("in %s", (_, flags) => {
  const night = nightOf(flags);
  const { tally, ended } = play(night);

  test("every slide ends once, as done or failed", () => {
    expect(ended.map(({ slide }) => slide.index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: night.archive.slides }, (_, index) => index),
    );
    expect(tally.done).toBe(ended.filter(({ outcome }) => outcome === "done").length);
    expect(tally.done + tally.failed).toBe(night.archive.slides);
    expect(sumOf([...tally.failures.values()])).toBe(tally.failed);
    for (const { slide, outcome } of ended) if (slide.poisoned) expect(outcome).toBe("failed");
  });

  test("no shard is lost, and a slide is done only when all its shards are", () => {
    expect(tally.shardsDone + tally.shardsFailed + tally.shardsDropped).toBe(tally.shardsAdded);
    expect(sumOf(ended.map(({ shards }) => shards))).toBe(tally.shardsAdded);
    for (const { outcome, openShards } of ended) if (outcome === "done") expect(openShards).toBe(0);
  });

  test("what was computed is what done slides have, and what was lost", () => {
    const needed = pixelsOf(ended) * night.sweeps;
    expect((tally.pixels - tally.lostPixels) / needed).toBeCloseTo(1, 9);
  });

  test("no worker does more than its time allows, and Redis holds what is kept alone", () => {
    expect(tally.computing).toBeLessThanOrEqual(tally.busy);
    expect(tally.busy).toBeLessThanOrEqual(tally.alive * (1 + 1e-9));
    const kept = ended.map(({ outcome }) => (outcome === "done" ? jobBytes.completedImage : jobBytes.failedImage));
    expect(tally.redis.bytes).toBe(sumOf(kept) + jobBytes.doneShard * tally.shardsDone);
    expect(tally.redis.peakBytes).toBeGreaterThanOrEqual(tally.redis.bytes);
  });
});

test("without failures workers compute for pixels over speed, and nothing twice", () => {
  const { tally, ended } = play(nightOf({ speed: "4", speedSpread: "0" }));
  expect(tally.lostPixels).toBe(0);
  expect(tally.computing / (pixelsOf(ended) / 4e6)).toBeCloseTo(1, 9);
  expect(tally.imageAttempts).toEqual(new Map([[1, 400]]));
});

test("a slide has the shards that planShards gives it, where these are several", () => {
  const night = nightOf({ speedSpread: "0" });
  const rounds: number[] = [];
  const result = simulateNight(night, {
    onShards: ({ tiles }, shards) => {
      const planned = planShards(
        { tilePixels: tiles.pixels, bytesPerPixel: 2, pixelsPerSecond: 2e6 },
        { ...shardLimits },
      );
      expect(shards.map(({ interval }) => interval)).toEqual(planned);
      rounds.push(planned.length);
    },
    onSlide: ({ tiles, shards }) => {
      expect(shards > 0).toBe(
        divideSlide({ tilePixels: tiles.pixels, pixelsPerSecond: 2e6, sweeps: 1 }, shardLimits) !== undefined,
      );
    },
  });
  expect(sumOf(rounds)).toBe(result.tally.shardsAdded);
  expect(rounds.length).toBeGreaterThan(100);
  expect(rounds.every((shards) => shards > 1)).toBe(true);
});

test("what one worker does soon enough, or in one tile, is not divided", () => {
  const tiles = Array.from({ length: 40 }, () => 4e6);
  const shardsOf = (tilePixels: readonly number[], pixelsPerSecond: number, limits = shardLimits) =>
    divideSlide({ tilePixels, pixelsPerSecond, sweeps: 1 }, limits)?.map(({ shards }) => shards.length);
  expect(shardsOf(tiles, 1e6)).toEqual([2]);
  expect(shardsOf(tiles, 160e6 / 120)).toBeUndefined();
  expect(shardsOf([160e6], 1e6)).toBeUndefined();
  // Large in bytes is divided too, unless it is done in no time.
  const small = { ...shardLimits, bytes: 40e6 };
  expect(shardsOf(tiles, 160e6 / 120, small)).toEqual([8]);
  expect(shardsOf(tiles, 160e6 / 29, small)).toBeUndefined();
});

test("all sweeps are divided by the first look at the slide, of which the last alone keeps a map", () => {
  const tiles = Array.from({ length: 40 }, () => 4e6);
  const limits = { ...shardLimits, bytes: 40e6 };
  const divided = divideSlide({ tilePixels: tiles, pixelsPerSecond: 1e6, sweeps: 2 }, limits);
  expect(divided?.map(({ shards }) => shards.length)).toEqual([2, 8]);
});

test("equal seeds give equal nights, other seeds other ones", () => {
  const json = (flags: Readonly<Record<string, string>>) => {
    const night = nightOf({ ...bad, ...flags });
    return JSON.stringify(summaryOf(night, simulateNight(night)));
  };
  expect(json({})).toBe(json({}));
  expect(json({ seed: "2" })).not.toBe(json({}));
});

test("twice the workers are no slower, be there much to do or little", () => {
  const equal = { speedSpread: "0", startup: "0" };
  for (const flags of [equal, { ...equal, arrival: "100" }]) {
    const [some, twice] = ["20", "40"].map((count) => simulateNight(nightOf({ ...flags, workers: `cpu:${count}` })));
    expect(twice?.makespan).toBeLessThanOrEqual((some?.makespan ?? 0) * (1 + 1e-9));
  }
});

test("a killed worker's tiles are computed again, those that were handed back are not", () => {
  const lostShare = (killed: string): number => {
    const { tally } = simulateNight(nightOf({ preemption: "0.9", killed }));
    expect(tally.preempted).toBeGreaterThan(50);
    return tally.lostPixels / tally.pixels;
  };
  const [handedBack, killed] = [lostShare("0"), lostShare("1")];
  expect(handedBack).toBeGreaterThan(0);
  expect(killed).toBeGreaterThan(5 * handedBack);
});

test("an image whose tries are used up has failed, with the code of the last one", () => {
  const { tally } = simulateNight(nightOf({ failureRate: "1", attempts: "3" }));
  expect(tally.failed).toBe(400);
  expect(tally.retries).toBeGreaterThanOrEqual(800);
  expect([...tally.failures.keys()].sort((a, b) => a.localeCompare(b))).toEqual([
    "engine-failed",
    "output-unwritable",
    "store-unavailable",
  ]);
});

test("requests follow from what was done", () => {
  const night = nightOf({});
  const { tally, ended } = play(night);
  const rows = new Map(tally.store.rows().map((row) => [row.kind, row]));
  const divided = ended.filter(({ shards }) => shards > 0).length;
  expect(rows.get("PUT plan")?.requests).toBe(divided);
  expect(rows.get("GET shard")?.requests).toBe(tally.shardsAdded);
  expect(rows.get("HEAD shard")?.requests).toBe(tally.shardsAdded);
  expect(rows.get("GET shard")?.bytes).toBe(rows.get("PUT shard")?.bytes);
  expect(rows.get("DELETE work")?.requests).toBe(tally.shardsAdded + divided);
  expect(rows.get("PUT output")?.bytes).toBeCloseTo(tally.outputBytes, -1);
  expect(rows.has("PUT checkpoint")).toBe(false);
});

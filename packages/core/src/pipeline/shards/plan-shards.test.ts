import { expect, test } from "vitest";
import { planShards, shardLimits } from "./plan-shards.ts";
import type { ShardLimits, SweepCost } from "./plan-shards.ts";

const sweep = (tiles: number, changes: Partial<SweepCost> = {}): SweepCost => ({
  tilePixels: Array.from({ length: tiles }, (_, index) => (index % 7 === 0 ? 700_000 : 1_000_000)),
  bytesPerPixel: 2,
  pixelsPerSecond: 1e6,
  ...changes,
});

const limits: ShardLimits = { seconds: 10, bytes: 1e9, count: 50 };

test("shards are runs of tiles that follow one another, none empty, together all tiles", () => {
  for (const tiles of [1, 2, 9, 10, 11, 99, 1000]) {
    for (const seconds of [0.1, 3, 10, 1e6]) {
      const shards = planShards(sweep(tiles), { ...limits, seconds });
      expect(shards[0]?.start).toBe(0);
      expect(shards.at(-1)?.end).toBe(tiles);
      for (const [index, { start, end }] of shards.entries()) {
        expect(end).toBeGreaterThan(start);
        expect(shards[index + 1]?.start ?? tiles).toBe(end);
      }
    }
  }
});

test("a shard takes about the time that is asked for", () => {
  const cost = sweep(200);
  const times = planShards(cost, limits).map(
    ({ start, end }) => cost.tilePixels.slice(start, end).reduce((sum, pixels) => sum + pixels, 0) / 1e6,
  );
  expect(times).toHaveLength(20);
  for (const time of times) expect(Math.abs(time - 9.57)).toBeLessThan(1);
});

test("a shard is no larger than its file may be, whatever the speed", () => {
  const shards = planShards(sweep(1000, { pixelsPerSecond: 1e12 }), { ...limits, bytes: 5e7 });
  expect(shards.length).toBe(Math.ceil((1000e6 * (6.7 / 7) * 2) / 5e7));
});

test("there are never more shards than a queue should hold, nor than tiles", () => {
  expect(planShards(sweep(1000), { ...limits, seconds: 0.001 })).toHaveLength(50);
  expect(planShards(sweep(20), { ...limits, seconds: 0.001 })).toHaveLength(20);
  expect(planShards(sweep(40_000, { pixelsPerSecond: 1e4 }), shardLimits)).toHaveLength(shardLimits.count);
});

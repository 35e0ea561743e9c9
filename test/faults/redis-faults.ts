import { setTimeout } from "node:timers/promises";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startRedisServer } from "../servers/redis-server.ts";
import type { Ground } from "./ground.ts";
import { faultsAfter } from "./invariants.ts";

interface StoredKey {
  readonly key: string;
  readonly ttlMs: number;
  readonly value: Buffer;
}

/** All keys at one moment: a copy that was made key by key, while workers move jobs from list to list, would lose some. */
const allKeys = `
  local found = {}
  for _, key in ipairs(redis.call("KEYS", "*")) do
    found[#found + 1] = { key, redis.call("PTTL", key), redis.call("DUMP", key) }
  end
  return found`;

async function copyOf(redis: Redis): Promise<readonly StoredKey[]> {
  const found = (await redis.callBuffer("EVAL", allKeys, "0")) as [Buffer, number, Buffer][];
  return found.map(([key, ttlMs, value]) => ({ key: key.toString(), ttlMs: Math.max(0, ttlMs), value }));
}

async function restore(redis: Redis, copy: readonly StoredKey[]): Promise<void> {
  await Promise.all(copy.map(({ key, ttlMs, value }) => redis.restore(key, ttlMs, value)));
}

/** A Redis that dies, and ways to it that break. */
export function redisFaults(ground: () => Ground): void {
  describe("although Redis", () => {
    test("is killed and comes back with what it wrote to its file", async ({ skip }) => {
      const { chance, calm } = ground();
      await using redis = await startRedisServer({ appendOnly: true });
      const { restart } = redis;
      if (restart === undefined) {
        skip("Redis is no process of this machine");
        return;
      }
      await using campaign = await ground().open("redis-killed", { redis: redis.url, outs: 2 });
      await campaign.enqueue();
      const workers = [await campaign.startWorker("first"), await campaign.startWorker("second")];
      for (let kills = 0; kills < 4; kills += 1) {
        await setTimeout(chance.between(100, 700));
        await restart();
      }
      await campaign.untilIdle();
      for (const worker of workers) await worker.stop();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("loses everything, is filled by enqueuing again, and goes back to a copy that is older than most results", async () => {
      const { calm } = ground();
      await using server = await startRedisServer();
      await using campaign = await ground().open("redis-lost", { redis: server.url });
      const { redis, images, shards } = campaign;
      // Nobody remembers parts whose job is lost: an image that is done again in one piece does not look for them, and a rule of the
      // bucket removes them.
      const faults = async () =>
        (await faultsAfter(campaign, calm)).filter((fault) => !fault.includes("/.slidelight/work/"));
      await campaign.enqueue();
      const workers = [await campaign.startWorker("first"), await campaign.startWorker("second")];
      // In the middle of the larger images.
      await expect.poll(() => shards.getActiveCount(), { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
      const copy = await copyOf(redis);
      await redis.flushall();
      expect(await images.getJobCounts("active", "waiting-children")).toEqual({ active: 0, "waiting-children": 0 });
      await campaign.enqueue();
      await campaign.untilIdle();
      for (const worker of workers) await worker.stop();
      expect(await faults()).toEqual([]);
      await redis.flushall();
      await restore(redis, copy);
      expect(await campaign.isIdle()).toBe(false);
      const worker = await campaign.finish("third");
      // What had its results was looked up, and nothing was computed.
      expect(worker.errors().filter((line) => line.includes('"status":"computed"'))).toEqual([]);
      expect(await faults()).toEqual([]);
    });

    test("and the store are cut off at random moments, and refuse for a while", async () => {
      const { chance, calm } = ground();
      await using campaign = await ground().open("cut-off", { outs: 2 });
      await campaign.enqueue();
      const workers = [await campaign.startWorker("first"), await campaign.startWorker("second")];
      const { redis, store } = campaign.network;
      for (let cuts = 0; cuts < 24; cuts += 1) {
        await setTimeout(chance.between(20, 250));
        const way = chance.between(0, 1) === 0 ? redis : store;
        if (cuts % 6 === 5) {
          way.refuse();
          await setTimeout(chance.between(100, 800));
          way.accept();
        } else {
          way.cut();
        }
      }
      await campaign.untilIdle();
      for (const worker of workers) await worker.stop();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });
  });
}

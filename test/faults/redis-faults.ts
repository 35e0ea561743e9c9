import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startRedisServer } from "../servers/redis-server.ts";
import type { Ground } from "./ground.ts";
import { faultsAfter } from "./invariants.ts";

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

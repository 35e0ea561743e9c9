import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Ground } from "./ground.ts";
import type { TroubleRule } from "./http-proxy.ts";
import { faultsAfter, triedAgain } from "./invariants.ts";

const object = /^\/[^/?]+\/slides\//u;
const manifest = /manifest\.json/u;

const scenarios: readonly (readonly [string, { readonly name: string; readonly rule: TroubleRule }])[] = [
  [
    "loses the answers to commits that it did",
    { name: "lost-commits", rule: { method: "PUT", path: manifest, timesEach: 1, trouble: { kind: "lose-answer" } } },
  ],
  [
    "loses its answers, to everything that is asked",
    { name: "lost-answers", rule: { timesEach: 1, trouble: { kind: "lose-answer" } } },
  ],
  [
    "gives the beginning of what was asked for and no more",
    {
      name: "truncated",
      rule: { method: "GET", path: object, timesEach: 3, trouble: { kind: "truncate", bytes: 700 } },
    },
  ],
];

/** A store that is busy, slow, or forgets to answer. */
export function storeFaults(ground: () => Ground): void {
  describe("although the store", () => {
    test.each(scenarios)("%s: nothing is tried twice", async (_, { name, rule }) => {
      const { calm } = ground();
      await using campaign = await ground().open(name);
      await campaign.enqueue();
      const troubled = campaign.network.requests.add(rule);
      await campaign.finish();
      expect(troubled.count).toBeGreaterThanOrEqual(campaign.archive.sound.length);
      expect(await triedAgain(campaign)).toEqual([]);
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("says again and again that it is too busy", async () => {
      const { chance, calm } = ground();
      await using campaign = await ground().open("busy");
      await campaign.enqueue();
      const workers = [await campaign.startWorker("first"), await campaign.startWorker("second")];
      for (let bursts = 0; bursts < 8; bursts += 1) {
        const trouble = { kind: "answer", status: 503, code: "SlowDown" } as const;
        campaign.network.requests.add({ times: chance.between(4, 16), trouble });
        await setTimeout(chance.between(100, 400));
      }
      await campaign.untilIdle();
      for (const worker of workers) await worker.stop();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("answers slowly, and Redis too", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("slow");
      await campaign.enqueue();
      const { requests, redis, store } = campaign.network;
      requests.add({ method: "GET", times: 60, trouble: { kind: "slow", pieceBytes: 8_192, pauseMs: 20 } });
      store.delay(15);
      redis.delay(10);
      await campaign.finish();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });
  });
}

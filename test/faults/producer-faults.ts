import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Campaign } from "./campaign.ts";
import type { Ground } from "./ground.ts";
import { faultsAfter } from "./invariants.ts";

const counts = z.object({ added: z.number(), present: z.number(), failures: z.array(z.unknown()) });

/** Producers that die, or are more than one at the same archive. */
export function producerFaults(ground: () => Ground): void {
  const imagesOf = ({ archive }: Campaign): number => archive.sound.length + Object.keys(archive.poisoned).length;

  describe("although producers", () => {
    test("are killed in the midst of what they send, and run again", async () => {
      const { chance, calm } = ground();
      await using campaign = await ground().open("producer-killed");
      const [out = ""] = campaign.outs;
      for (let kills = 0; kills < 4; kills += 1) {
        const cut = campaign.network.redis.cutAfter(chance.between(1_000, 16_000));
        await using producer = await campaign.start("enqueue", ...campaign.job(out));
        await Promise.race([cut, producer.outcome]);
        producer.kill("SIGKILL");
        await producer.outcome;
      }
      const { status, stdout, stderr } = await campaign.run("enqueue", ...campaign.job(out), "--json");
      expect(status, stderr).toBe(0);
      const { added, present } = counts.parse(JSON.parse(stdout));
      expect(added + present).toBe(imagesOf(campaign));
      expect(await campaign.images.getJobCounts("wait", "delayed")).toEqual({ wait: imagesOf(campaign), delayed: 0 });
      await campaign.finish();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("enqueue the same archive at the same time", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("enqueued-twice");
      await Promise.all([campaign.enqueue(), campaign.enqueue()]);
      expect(await campaign.images.getWaitingCount()).toBe(imagesOf(campaign));
      await campaign.finish();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });
  });
}

import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { compare, faultsAfter, triedAgain } from "./invariants.ts";
import type { Ground } from "./ground.ts";
import { readResults } from "./results.ts";

const kills = 12;

const breakingEngine = fileURLToPath(new URL("./breaking-engine.mjs", import.meta.url));

/** Where a worker that dies leaves most behind: before and after what it writes is there. */
const crashes = ["map.tif", "preview.jpg", "manifest.json", ".slidelight/work/"].flatMap((name) =>
  (["request", "answer"] as const).map((what) => ({ name, what })),
);

/** Workers that die, freeze, are asked to stop, or are more than one at the same image. */
export function workerFaults(ground: () => Ground): void {
  describe("although workers", () => {
    test("are killed at random moments, again and again", async () => {
      const { chance, calm } = ground();
      await using campaign = await ground().open("killed", { outs: 2 });
      await campaign.enqueue();
      const slots = ["killed-0", "killed-1"];
      let killed = 0;
      await Promise.all(
        slots.map(async (slot) => {
          while (killed < kills) {
            killed += 1;
            const worker = await campaign.startWorker(slot);
            await setTimeout(chance.between(0, 600));
            await worker.crash();
          }
        }),
      );
      const last = await Promise.all(slots.map((slot) => campaign.startWorker(slot)));
      await campaign.untilIdle();
      for (const worker of last) await worker.stop();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("die just before and just after each kind of thing that they write is there", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("crashed");
      await campaign.enqueue();
      for (const { name, what } of crashes) {
        const path = new RegExp(name.replaceAll(".", "\\."), "u");
        const held = campaign.network.requests.add({ method: "PUT", path, times: 1, trouble: { kind: "hold", what } });
        const worker = await campaign.startWorker("crashed");
        while (held.count === 0 && !(await campaign.isIdle())) await setTimeout(20);
        await worker.crash();
        campaign.network.requests.clear();
      }
      await campaign.finish("last");
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("freeze until another has taken over, and then go on", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("frozen");
      await campaign.enqueue();
      const frozen = await campaign.startWorker("frozen");
      await frozen.line(/large\/one/u);
      frozen.kill("SIGSTOP");
      expect(await campaign.images.getActiveCount()).toBeGreaterThan(0);
      const other = await campaign.startWorker("other");
      await campaign.untilIdle();
      const said = frozen.errors().length;
      frozen.kill("SIGCONT");
      // What it had begun ends one way or another.
      await expect.poll(() => frozen.errors().length, { timeout: 60_000 }).toBeGreaterThan(said);
      await frozen.stop();
      await other.stop();
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("have an engine that breaks: they hand back what they hold, which costs no try, and end", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("broken");
      await campaign.enqueue();
      const broken = await campaign.startWorker("broken", { program: breakingEngine });
      expect(await broken.outcome).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(
          /"the engine does not compute any more"(.|\n)*\[engine-failed\].*CUDA error 700/u,
        ),
      });
      expect(await campaign.images.getActiveCount()).toBe(0);
      await campaign.finish();
      expect(await triedAgain(campaign)).toEqual([]);
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("are asked to stop in the midst of an image: it is handed back and costs no try", async () => {
      const { chance, calm } = ground();
      await using campaign = await ground().open("stopped");
      await campaign.enqueue();
      for (let stops = 0; stops < 3; stops += 1) {
        const worker = await campaign.startWorker();
        await worker.line("image started");
        await setTimeout(chance.between(0, 300));
        await worker.stop();
        expect(await campaign.images.getActiveCount()).toBe(0);
      }
      await campaign.finish();
      expect(await triedAgain(campaign)).toEqual([]);
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("are asked to stop twice and leave at once, whatever keeps them", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("stopped-twice");
      await campaign.enqueue();
      const worker = await campaign.startWorker("impatient");
      await worker.line("image started");
      // What it would hand back can't be told.
      campaign.network.redis.freeze();
      worker.kill("SIGTERM");
      await worker.line("stopping");
      worker.kill("SIGTERM");
      expect(await worker.outcome).toMatchObject({ status: 130 });
      campaign.network.redis.thaw();
      await campaign.finish("next");
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });

    test("explain the same images into the same place at the same time", async () => {
      const { archive, calm } = ground();
      await using campaign = await ground().open("together");
      const [out = ""] = campaign.outs;
      const args = ["explain", ...campaign.job(out), "--engine", "onnxruntime", "--threads", "1", "--json"];
      // One is held where it would commit its first image, until the other has committed all.
      const held = campaign.network.requests.add({
        method: "PUT",
        path: /manifest\.json/u,
        times: 1,
        trouble: { kind: "hold", what: "request" },
      });
      await using first = await campaign.start(...args);
      await expect.poll(() => held.count, { timeout: 60_000 }).toBe(1);
      const second = await campaign.run(...args);
      held.release();
      // The poisoned images fail in both.
      expect([(await first.outcome).status, second.status]).toEqual([1, 1]);
      // Only a queue records failures.
      const results = await readResults(archive, out);
      expect(compare(results, { calm: { ...calm, records: new Map() }, out, archive })).toEqual([]);
    });
  });
}

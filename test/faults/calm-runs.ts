import { expect, test } from "vitest";
import { compare, faultsAfter } from "./invariants.ts";
import type { Ground } from "./ground.ts";
import { readResults } from "./results.ts";

/** Without any fault. */
export function calmRuns(ground: () => Ground): void {
  test("by one worker, which gives two results an image, some of many tiles", () => {
    const { archive, calm } = ground();
    expect(calm.manifests.size).toBe(2 * archive.sound.length);
    expect(Math.max(...[...calm.manifests.values()].map(({ tiles }) => tiles.kept))).toBeGreaterThanOrEqual(24);
  });

  test.each([2, 4])("by %i workers at once", async (count) => {
    const { calm } = ground();
    await using campaign = await ground().open(`workers-${count}`);
    const slots = Array.from({ length: count }, (_, index) => `of-${count}-${index}`);
    const workers = await Promise.all(slots.map((slot) => campaign.startWorker(slot)));
    await campaign.enqueue();
    await campaign.untilIdle();
    for (const worker of workers) await worker.stop();
    expect(await faultsAfter(campaign, calm)).toEqual([]);
  });

  test("by a single explain", async () => {
    const { archive, calm } = ground();
    await using campaign = await ground().open("explain");
    const [out = ""] = campaign.outs;
    // The poisoned images fail.
    expect(
      await campaign.run("explain", ...campaign.job(out), "--engine", "onnxruntime", "--threads", "1"),
    ).toMatchObject({ status: 1 });
    // Only a queue records failures.
    const results = await readResults(archive, out);
    expect(compare(results, { calm: { ...calm, records: new Map() }, out, archive })).toEqual([]);
  });
}

import { spawnSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Ground } from "./ground.ts";
import { faultsAfter, leftIn } from "./invariants.ts";

const diskBytes = 2 ** 26;
const mount = (...args: readonly string[]): boolean => spawnSync("mount", [...args], { stdio: "ignore" }).status === 0;

/** Disks that are full, or hold what a killed worker left. */
export function scratchFaults(ground: () => Ground): void {
  describe("although a worker's disk", () => {
    test("is full for a while: no image fails for good", async ({ skip }) => {
      const { calm } = ground();
      // Not one try is to spare for a fault that is the worker's own.
      await using campaign = await ground().open("disk-full", {
        enqueueOptions: ["--attempts", "1"],
        workerOptions: ["--min-free", "8MB"],
      });
      const scratch = join(campaign.slotFolder("full"), "scratch");
      await mkdir(scratch, { recursive: true });
      if (process.platform !== "linux" || !mount("-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", scratch)) {
        console.warn("The test with a full disk is skipped: a small file system can't be mounted here.");
        skip("a small file system can't be mounted here");
        return;
      }
      try {
        const ballast = join(scratch, "ballast");
        await campaign.enqueue();
        const worker = await campaign.startWorker("full");
        await worker.line("image started");
        // As much as there is room for.
        await writeFile(ballast, Buffer.alloc(diskBytes)).catch(() => undefined);
        await worker.line(/ENOSPC|no space left|nearly full/iu);
        // It holds nothing any more that could fail.
        const held = async () => (await campaign.images.getActiveCount()) + (await campaign.shards.getActiveCount());
        await expect.poll(held, { timeout: 60_000 }).toBe(0);
        await rm(ballast);
        await campaign.untilIdle();
        await worker.stop();
        expect(await faultsAfter(campaign, calm)).toEqual([]);
      } finally {
        spawnSync("umount", ["--lazy", scratch]);
      }
    });

    test("holds what a killed one left: the next that starts there removes it", async () => {
      const { calm } = ground();
      await using campaign = await ground().open("left-behind");
      await campaign.enqueue();
      const first = await campaign.startWorker("same");
      await first.line(/large\/one/u);
      await first.crash();
      await campaign.finish("same");
      expect(await leftIn(campaign.slotFolder("same"))).toEqual([]);
      expect(await faultsAfter(campaign, calm)).toEqual([]);
    });
  });
}

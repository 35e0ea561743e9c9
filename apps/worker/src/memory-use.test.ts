import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { usedBytes } from "./memory-use.ts";

const listed = existsSync("/proc/self/task");
if (!listed) console.log("skipped: this system has no /proc: the memory of child processes is not counted here");

describe.skipIf(!listed)("the memory of a worker", () => {
  it("is that of its process and of those that it started", async () => {
    // Its own grows and shrinks with whatever else is tested in this process.
    const beside = async (): Promise<number> => (await usedBytes()) - process.memoryUsage.rss();
    const before = await beside();
    expect(before).toBeGreaterThan(-50e6);
    const child = spawn(process.execPath, [
      "-e",
      "globalThis.kept = Buffer.alloc(200e6, 1); console.log('ready'); setInterval(() => {}, 1000)",
    ]);
    try {
      await once(child.stdout, "data");
      expect((await beside()) - before).toBeGreaterThan(150e6);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    expect((await beside()) - before).toBeLessThan(150e6);
  });
});

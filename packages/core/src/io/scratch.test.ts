import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openScratch } from "./scratch.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "slidelight-scratch-"));
});
afterEach(() => rm(root, { recursive: true }));

async function leave(name: string, owner: object): Promise<void> {
  await mkdir(join(root, name));
  await writeFile(join(root, name, "owner.json"), JSON.stringify(owner));
  await writeFile(join(root, name, "large.tile"), "x");
}

const host = hostname();

test("a process's files go with it", async () => {
  const scratch = await openScratch(root);
  await writeFile(join(scratch.folder, "file"), "x");
  await scratch[Symbol.asyncDispose]();
  expect(await readdir(root)).toEqual([]);
});

test("what a killed process left is removed, what a living one holds is not", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const pid = child.pid ?? 0;
  await leave("process-living", { host, pid, startedMs: 1 });
  await leave("process-elsewhere", { host: "another", pid, startedMs: 1 });
  await leave("other-program", { host, pid: 999_999_999, startedMs: 1 });
  await using first = await openScratch(root);
  expect((await readdir(root)).sort()).toEqual(
    ["other-program", "process-elsewhere", "process-living", first.folder.slice(root.length + 1)].sort(),
  );
  child.kill("SIGKILL");
  await once(child, "close");
  await using second = await openScratch(root);
  expect(await readdir(root)).not.toContain("process-living");
  expect(await readdir(root)).toContain(second.folder.slice(root.length + 1));
});

test("a process of the same number that was started at another time is another one", async () => {
  await leave("process-before", { host, pid: process.pid, startedMs: 1 });
  await using scratch = await openScratch(root);
  expect(await readdir(root)).toEqual([scratch.folder.slice(root.length + 1)]);
});

test("what nobody touched for long is removed: a process's files after minutes, parts of images after a week", async () => {
  const old = (days: number): Date => new Date(Date.now() - days * 86_400_000);
  await leave("process-elsewhere", { host: "another", pid: 1, startedMs: 1 });
  await utimes(join(root, "process-elsewhere"), old(0.1), old(0.1));
  for (const [name, days] of [
    ["work-new", 1],
    ["work-old", 8],
  ] as const) {
    await leave(name, {});
    await utimes(join(root, name), old(days), old(days));
  }
  await using scratch = await openScratch(root);
  expect((await readdir(root)).sort()).toEqual([scratch.folder.slice(root.length + 1), "work-new"].sort());
});

test.runIf(process.platform === "linux")(
  "a folder that can't be made is an error, not a wait without end",
  async () => {
    await expect(openScratch("/proc/nowhere/scratch")).rejects.toMatchObject({
      code: "output-unwritable",
      message: expect.stringContaining("/proc/nowhere/scratch"),
    });
  },
);

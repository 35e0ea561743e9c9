import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";

const script = fileURLToPath(new URL("../reproduce/index.mjs", import.meta.url));
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-reproduce-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function reproduce(...args: readonly string[]): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const child = spawn(process.execPath, [script, "--out", folder, "--quick", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, SLIDELIGHT_ENGINE: "onnxruntime" },
  });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stderr }));
  });
}

const spread = z.object({ mean: z.number(), values: z.array(z.number()) });
const evidence = z.object({
  studies: z.object({
    tissue: z.array(
      z.object({
        summaries: z.array(
          z.object({ name: z.string(), repeats: z.number(), pxap: z.record(z.string(), spread), accuracy: spread }),
        ),
      }),
    ),
  }),
});

test("the comparison is made by one command, goes on where it was, and leaves tables and figures", async () => {
  const asked = ["tissue", "--networks", "cnn-8,unet-mean-only"];
  const first = await reproduce(...asked, "--repeats", "1");
  expect(first.stderr).toMatch(/2 of 2: unet-mean-only, seed-1: accuracy/u);
  expect(first.status).toBe(0);
  const page = await readFile(join(folder, "evidence.md"), "utf8");
  expect(page).toMatch(/\| CNN, stride 8, mean \| 0\.\d\d \|/u);
  expect(page).toMatch(/Best map of any method: U-Net 0\.\d\d \(/u);
  expect(await readFile(join(folder, "evidence.svg"), "utf8")).toContain("U-Net, mean");
  const { width, height } = await sharp(join(folder, "evidence-tissue.jpg")).metadata();
  expect(width).toBeGreaterThan(3 * 192);
  expect(height).toBe(4 * 192 + 3 * 4);

  const numbers = await readFile(join(folder, "evidence.json"), "utf8");
  const { studies } = evidence.parse(JSON.parse(numbers));
  const summaries = studies.tissue[0]?.summaries ?? [];
  expect(summaries.map(({ name, repeats }) => [name, repeats])).toEqual([
    ["cnn-8", 1],
    ["unet-mean-only", 1],
  ]);
  for (const { pxap } of summaries) {
    expect(Object.keys(pxap)).toHaveLength(6);
    for (const { mean, values } of Object.values(pxap)) expect(values).toEqual([mean]);
  }

  // What is there is not trained again; what was lost is, to the same numbers.
  await rm(join(folder, "tissue", "cnn-8"), { recursive: true });
  const second = await reproduce(...asked, "--repeats", "1");
  expect(second.stderr).toContain("cnn-8, seed-1: accuracy");
  expect(second.stderr).not.toContain("unet-mean-only, seed-1: accuracy");
  expect(await readFile(join(folder, "evidence.json"), "utf8")).toBe(numbers);
});

test("what can't be compared is said: real data that is not there, a study that there is not", async () => {
  const without = await reproduce("wbc", "--data", join(folder, "nowhere"));
  expect(without).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/wbc is left out: .*labels\.csv.*--data/u),
  });
  expect(await reproduce("cats")).toMatchObject({ status: 2, stderr: expect.stringMatching(/no study "cats"/u) });
});

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tissueSample } from "./sample.ts";
import { writeTissueBenchmark } from "./write-benchmark.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-synthesis-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the tissue benchmark in files", () => {
  it("is images and masks in folders by class, and a table of them", async () => {
    const seen: number[] = [];
    await writeTissueBenchmark(folder, { seed: 2, count: 5, classes: 3, onImage: (n) => seen.push(n) });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect((await readdir(join(folder, "images"))).toSorted()).toEqual(["banded", "granular", "normal"]);
    const [heading, ...rows] = (await readFile(join(folder, "tissue.csv"), "utf8")).trimEnd().split("\n");
    expect(heading).toBe("image,label,mask");
    expect(rows.map((row) => row.split(",")[1])).toEqual(["normal", "granular", "banded", "normal", "granular"]);

    const [image = "", , mask = ""] = rows[4]?.split(",") ?? [];
    const expected = tissueSample({ seed: 2, index: 4, classes: 3 });
    expect(await sharp(join(folder, image)).raw().toBuffer()).toEqual(Buffer.from(expected.pixels));
    expect((await sharp(join(folder, mask)).metadata()).channels).toBe(1);
    const stored = await sharp(join(folder, mask)).toColourspace("b-w").raw().toBuffer();
    expect(stored).toEqual(Buffer.from(expected.mask));
  });

  it("refuses a count that is none", async () => {
    await expect(writeTissueBenchmark(folder, { seed: 2, count: 0 })).rejects.toThrow("got 0");
  });

  it("stops when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeTissueBenchmark(folder, { seed: 2, count: 5, signal })).rejects.toThrow("enough");
  });
});

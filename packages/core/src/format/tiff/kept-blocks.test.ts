import { describe, expect, it } from "vitest";
import type { RgbBlock } from "../images/decode.ts";
import { keptBlocks } from "./kept-blocks.ts";

/** Blocks of so many bytes each in one buffer. */
function together(count: number, bytes: number): readonly RgbBlock[] {
  const data = new Uint8Array(count * bytes);
  return Array.from({ length: count }, (_, index) => ({
    width: bytes / 3,
    height: 1,
    data: data.subarray(index * bytes, (index + 1) * bytes),
  }));
}

function alone(bytes: number): RgbBlock {
  const [block] = together(1, bytes);
  if (block === undefined) throw new RangeError("One block was asked for.");
  return block;
}

describe("kept blocks", () => {
  it("are those that were used last, as many as fit", () => {
    const kept = keptBlocks(90);
    for (const key of ["a", "b", "c"]) kept.keep(key, alone(30));
    kept.use("a");
    kept.keep("d", alone(30));
    expect(["a", "b", "c", "d"].filter(kept.has)).toEqual(["a", "c", "d"]);
  });

  it("count the whole buffer in which they lie, until none of it is kept", () => {
    const kept = keptBlocks(120);
    const [first, second, third] = together(3, 30);
    if (first === undefined || second === undefined || third === undefined) throw new RangeError("Three blocks.");
    kept.keep("1", first);
    kept.keep("2", second);
    kept.keep("3", third);
    kept.use("1");
    kept.keep("alone", alone(30));
    expect(["1", "2", "3", "alone"].filter(kept.has)).toEqual(["1", "2", "3", "alone"]);
    // 30 bytes too many: one block of three after the other goes, and only with the last one their buffer.
    kept.keep("more", alone(30));
    expect(["1", "2", "3", "alone", "more"].filter(kept.has)).toEqual(["alone", "more"]);
    kept.keep("again", alone(60));
    expect(["alone", "more", "again"].filter(kept.has)).toEqual(["alone", "more", "again"]);
  });

  it("take the place of those with the same key", () => {
    const kept = keptBlocks(60);
    kept.keep("a", alone(30));
    const newer = alone(60);
    kept.keep("a", newer);
    expect(kept.use("a")).toBe(newer);
    kept.keep("a", newer);
    expect(kept.has("a")).toBe(true);
  });
});

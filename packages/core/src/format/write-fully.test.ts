import { describe, expect, it } from "vitest";
import { writeFully } from "./write-fully.ts";

describe("writing at an offset", () => {
  it("goes on where a write stopped short, until all is written", () => {
    const calls: (readonly [number, number, number])[] = [];
    const write = (_: Uint8Array, offset: number, length: number, position: number): number => {
      calls.push([offset, length, position]);
      return Math.min(length, 4);
    };
    writeFully(new Uint8Array(10), { position: 100, write });
    expect(calls).toEqual([
      [0, 10, 100],
      [4, 6, 104],
      [8, 2, 108],
    ]);
  });

  it("fails where nothing more can be written", () => {
    expect(() => writeFully(new Uint8Array(10), { position: 0, write: () => 0 })).toThrow(/10 bytes/);
  });
});

import { describe, expect, it } from "vitest";
import type { ByteSource } from "./byte-source.ts";

/** What every byte source promises; run on each implementation and each decorator. */
export function byteSourceConformance(name: string, openWith: (content: Uint8Array) => Promise<ByteSource>): void {
  const content = Uint8Array.from({ length: 200_003 }, (_, index) => (index * 31 + (index >> 8)) % 251);

  describe(`a byte source: ${name}`, () => {
    it("knows its size and its version", async () => {
      await using source = await openWith(content);
      expect(source.size).toBe(content.length);
      expect(source.etag).not.toBe("");
      expect(source.uri).not.toBe("");
    });

    it.each([
      [0, 1],
      [0, 200_003],
      [200_002, 1],
      [65_535, 2],
      [70_000, 100_000],
      [131_072, 65_536],
    ])("reads exactly the bytes from %i, %i of them", async (offset, length) => {
      await using source = await openWith(content);
      const bytes = await source.read({ offset, length });
      expect(Buffer.compare(bytes, content.subarray(offset, offset + length))).toBe(0);
    });

    it("reads nothing from anywhere within", async () => {
      await using source = await openWith(content);
      expect(await source.read({ offset: 5, length: 0 })).toHaveLength(0);
      expect(await source.read({ offset: content.length, length: 0 })).toHaveLength(0);
    });

    it("reads many overlapping ranges at once", async () => {
      await using source = await openWith(content);
      const ranges = Array.from({ length: 40 }, (_, index) => ({
        offset: (index * 7_919) % 150_000,
        length: 1 + index * 977,
      }));
      const all = await Promise.all(ranges.map((range) => source.read(range)));
      all.forEach((bytes, index) => {
        const { offset, length } = ranges[index] ?? { offset: 0, length: 0 };
        expect(Buffer.compare(bytes, content.subarray(offset, offset + length))).toBe(0);
      });
    });

    it("reads an empty object", async () => {
      await using source = await openWith(new Uint8Array(0));
      expect(source.size).toBe(0);
      expect(await source.read({ offset: 0, length: 0 })).toHaveLength(0);
    });

    it.each([
      [200_000, 4],
      [200_003, 1],
      [1_000_000, 10],
    ])("refuses a range past the end as truncated: %i, %i bytes", async (offset, length) => {
      await using source = await openWith(content);
      await expect(source.read({ offset, length })).rejects.toMatchObject({ code: "image-truncated" });
    });

    it("throws the signal's own reason, and serves the next reader", async () => {
      await using source = await openWith(content);
      const reason = new Error("given up");
      await expect(source.read({ offset: 0, length: 10 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const controller = new AbortController();
      const left = source.read({ offset: 0, length: 10 }, { signal: controller.signal });
      const stayed = source.read({ offset: 5, length: 10 });
      controller.abort(reason);
      await expect(left).rejects.toBe(reason);
      expect(Buffer.compare(await stayed, content.subarray(5, 15))).toBe(0);
      expect(Buffer.compare(await source.read({ offset: 0, length: 10 }), content.subarray(0, 10))).toBe(0);
    });
  });
}

import { expect, test } from "vitest";
import { giveBuffers, takeBuffer, takeUsedBuffer } from "./used-buffers.ts";

const megabyte = 2 ** 20;

test("a buffer that was given is taken again, once, by who asks for its length", () => {
  const given = new Uint8Array(3 * megabyte);
  giveBuffers([{ data: given }]);
  expect(takeBuffer(2 * megabyte)).not.toBe(given.buffer);
  expect(takeBuffer(3 * megabyte)).toBe(given.buffer);
  expect(takeBuffer(3 * megabyte)).not.toBe(given.buffer);
});

test("none is made for who wants a used one alone", () => {
  const given = new Uint8Array(5 * megabyte);
  giveBuffers([{ data: given }]);
  expect(takeUsedBuffer(4 * megabyte)).toBeUndefined();
  expect(takeUsedBuffer(5 * megabyte)).toBe(given.buffer);
  expect(takeUsedBuffer(5 * megabyte)).toBeUndefined();
});

test("two arrays of one buffer give it once", () => {
  const buffer = new ArrayBuffer(megabyte);
  giveBuffers([{ data: new Uint8Array(buffer) }, { data: new Uint16Array(buffer) }]);
  expect([takeBuffer(megabyte), takeBuffer(megabyte)].filter((taken) => taken === buffer)).toHaveLength(1);
});

test("what another thread has, or several share, is not taken", () => {
  const handed = new Uint8Array(megabyte);
  structuredClone(handed, { transfer: [handed.buffer] });
  const shared = new Uint8Array(new SharedArrayBuffer(megabyte));
  giveBuffers([{ data: handed }, { data: shared }]);
  expect(takeBuffer(megabyte)).not.toBe(shared.buffer);
  expect(takeBuffer(0).byteLength).toBe(0);
});

test("no more is kept than a large tile's, whatever is given", () => {
  const given = Array.from({ length: 40 }, () => new Uint8Array(64 * megabyte));
  giveBuffers(given.map((data) => ({ data })));
  const buffers = new Set<ArrayBufferLike>(given.map(({ buffer }) => buffer));
  const again = given.map(() => takeBuffer(64 * megabyte)).filter((buffer) => buffers.has(buffer));
  expect(again.length).toBeGreaterThan(0);
  expect(again.length).toBeLessThanOrEqual(16);
});

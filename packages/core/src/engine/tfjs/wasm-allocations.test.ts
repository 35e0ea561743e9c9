import { expect, test } from "vitest";
import { guardAllocations } from "./wasm-allocations.ts";

/** An allocator as Emscripten makes it: its first call puts the function that stays in its place. */
function allocatorOf(allocate: (bytes: number) => number) {
  const wasm = {
    _malloc: (bytes: number): number => {
      wasm["_malloc"] = allocate;
      return allocate(bytes);
    },
    _free: (_: number): void => undefined,
  };
  return wasm;
}

test("an allocation that wasm has no room for throws, and others are made", () => {
  const wasm = allocatorOf((bytes) => (bytes > 1000 ? 0 : 64));
  guardAllocations(wasm);
  expect(wasm["_malloc"](1000)).toBe(64);
  expect(() => wasm["_malloc"](1001)).toThrow("no 1001 bytes left");
  expect(wasm["_malloc"](1000)).toBe(64);
});

test("a length that wasm would take modulo 2^32 throws", () => {
  const wasm = allocatorOf((bytes) => (bytes >>> 0) + 64);
  guardAllocations(wasm);
  expect(() => wasm["_malloc"](2 ** 32 + 8)).toThrow(RangeError);
  expect(wasm["_malloc"](8)).toBe(72);
});

test("nothing may be left to allocate: an address of 0 is no fault then", () => {
  const wasm = allocatorOf((bytes) => (bytes === 0 ? 0 : 64));
  guardAllocations(wasm);
  expect(wasm["_malloc"](0)).toBe(0);
});

test("a module with another allocator is refused", () => {
  expect(() => guardAllocations({})).toThrow("another allocator");
});

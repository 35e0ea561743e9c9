import { expect, test } from "vitest";
import { deviceWarmLimits, hostWarmLimits, warmLimits } from "./memory.ts";

const gigabyte = 1e9;
const accelerator = { memoryBytes: 80 * gigabyte };

test("programs keep four fifths of an accelerator's memory, the one that runs included", () => {
  expect(warmLimits({}, accelerator)).toEqual({ leastBytes: 32 * gigabyte, mostBytes: 64 * gigabyte });
});

test("they keep twice what a tile may take, on an accelerator as in a computer", () => {
  const settings = { memoryBytes: gigabyte };
  expect(warmLimits(settings, accelerator)).toEqual({ leastBytes: gigabyte, mostBytes: 2 * gigabyte });
  expect(warmLimits(settings, undefined).mostBytes).toBeLessThanOrEqual(2 * gigabyte);
  // More than there is.
  expect(deviceWarmLimits(80 * gigabyte, { memoryBytes: 100 * gigabyte })).toEqual(warmLimits({}, accelerator));
});

test("what is said to be kept is, wherever it is; an accelerator that does not tell its memory keeps what a computer does in any case", () => {
  expect(warmLimits({ warmBytes: 7, memoryBytes: gigabyte }, accelerator)).toEqual({ leastBytes: 7, mostBytes: 7 });
  const { leastBytes } = hostWarmLimits({});
  expect(warmLimits({}, {})).toEqual({ leastBytes, mostBytes: leastBytes });
});

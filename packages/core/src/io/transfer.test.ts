import { expect, test } from "vitest";
import { transferList } from "./transfer.ts";

test("only buffers that one array has for itself are handed over, each once", () => {
  const own = new Float32Array(4);
  const shared = new Uint8Array(8);
  const views = [own, own, shared.subarray(0, 4), shared.subarray(4), new Uint8Array(new SharedArrayBuffer(4))];
  expect(transferList(views)).toEqual([own.buffer]);
});

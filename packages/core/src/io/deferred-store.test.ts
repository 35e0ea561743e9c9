import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deferredStore } from "./deferred-store.ts";
import { openFileStore } from "./file-store.ts";
import { objectStoreConformance } from "./object-store-conformance.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-deferred-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let stores = 0;
objectStoreConformance("one that is opened late", async () => {
  stores += 1;
  const root = join(folder, String(stores));
  return deferredStore(root, async () => openFileStore(root));
});

describe("a store that is opened late", () => {
  it("is opened with the first request, once, and again after an opening that failed", async () => {
    let openings = 0;
    const store = deferredStore(folder, async () => {
      openings += 1;
      if (openings === 1) throw new Error("not yet");
      return openFileStore(folder);
    });
    expect(openings).toBe(0);
    await expect(store.head("key")).rejects.toThrow("not yet");
    await expect(store.head("key")).resolves.toBeUndefined();
    await store.put("key", Buffer.from("x"));
    expect(openings).toBe(2);
  });
});

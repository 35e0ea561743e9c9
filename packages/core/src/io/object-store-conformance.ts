import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareKeys } from "./key.ts";
import type { ObjectStore } from "./object-store.ts";

/** What every object store promises; `openEmpty` gives a new empty store each time. */
export function objectStoreConformance(name: string, openEmpty: () => Promise<ObjectStore>): void {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const contentOf = async (store: ObjectStore, key: string): Promise<string> => {
    await using source = await store.open(key);
    return new TextDecoder().decode(await source.read({ offset: 0, length: source.size }));
  };
  const keysOf = async (store: ObjectStore, prefix: string, after?: string): Promise<string[]> => {
    const keys: string[] = [];
    for await (const { key } of store.list(prefix, after === undefined ? {} : { after })) keys.push(key);
    return keys;
  };

  describe(`an object store: ${name}`, () => {
    it.each(["plain", "a folder/with spaces.tif", "ärzte/病理 切片/😀.svs", "odd/%41+&=?#'\"().bin"])(
      "gives back what was put at %j",
      async (key) => {
        const store = await openEmpty();
        expect(await store.put(key, text("one"))).toBe("written");
        expect(await contentOf(store, key)).toBe("one");
        expect(await store.head(key)).toMatchObject({ key, size: 3 });
        expect(await keysOf(store, "")).toEqual([key]);
        expect(await store.put(key, text("two!"))).toBe("written");
        expect(await contentOf(store, key)).toBe("two!");
        await store.delete(key);
        expect(await store.head(key)).toBeUndefined();
      },
    );

    it("has one version's identity in head, open and list", async () => {
      const store = await openEmpty();
      await store.put("k", text("content"));
      const head = await store.head("k");
      await using source = await store.open("k");
      const listed = await store.list("").next();
      expect(source.etag).toBe(head?.etag);
      expect(listed.value).toMatchObject({ key: "k", size: 7, etag: head?.etag });
      expect(Math.abs((head?.modifiedMs ?? 0) - Date.now())).toBeLessThan(3_600_000);
    });

    it("writes once when the key must be absent", async () => {
      const store = await openEmpty();
      expect(await store.put("once", text("first"), { ifAbsent: true })).toBe("written");
      expect(await store.put("once", text("second"), { ifAbsent: true })).toBe("exists");
      expect(await contentOf(store, "once")).toBe("first");
    });

    it("lets one of many writers win when the key must be absent", async () => {
      const store = await openEmpty();
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => store.put("race", text(`writer ${index}`), { ifAbsent: true })),
      );
      expect(answers.filter((answer) => answer === "written")).toHaveLength(1);
      expect(await contentOf(store, "race")).toBe(`writer ${answers.indexOf("written")}`);
    });

    it("says what is absent, and deletes it without complaint", async () => {
      const store = await openEmpty();
      expect(await store.head("no/such/key")).toBeUndefined();
      await expect(store.open("no/such/key")).rejects.toMatchObject({ code: "store-not-found" });
      await store.delete("no/such/key");
      expect(await keysOf(store, "no/")).toEqual([]);
    });

    it.each(["", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\0b"])("refuses the key %j", async (key) => {
      const store = await openEmpty();
      const refusal = { code: "key-invalid" };
      const call = async (work: () => Promise<unknown>): Promise<unknown> => work();
      await expect(call(() => store.head(key))).rejects.toMatchObject(refusal);
      await expect(call(() => store.open(key))).rejects.toMatchObject(refusal);
      await expect(call(() => store.put(key, text("x")))).rejects.toMatchObject(refusal);
      await expect(call(() => store.delete(key))).rejects.toMatchObject(refusal);
    });

    it("lists in key order, by prefix, and goes on behind a key", async () => {
      const store = await openEmpty();
      const keys = ["a.txt", "a/b", "a/c/d", "a0", "b/1", "b/10", "b/2", "ba", "b-", "é", "z/x", "😀", "\uff5e"];
      for (const key of keys) await store.put(key, text(key));
      const sorted = [...keys].sort(compareKeys);
      expect(await keysOf(store, "")).toEqual(sorted);
      for (const prefix of ["a", "a/", "a/c", "b/1", "b", "nothing", "b/nothing"]) {
        expect(await keysOf(store, prefix)).toEqual(sorted.filter((key) => key.startsWith(prefix)));
      }
      for (const after of [...sorted, "a/c", "a/", "b/11", "zz"]) {
        expect(await keysOf(store, "", after)).toEqual(sorted.filter((key) => compareKeys(key, after) > 0));
      }
    });

    it.each([0, 10, 20_000_000])("puts a local file of %i bytes", async (size) => {
      const store = await openEmpty();
      const folder = await mkdtemp(join(tmpdir(), "slidelight-put-"));
      try {
        const path = join(folder, "file");
        const content = Buffer.alloc(size, "some content ");
        await writeFile(path, content);
        expect(await store.putFile("big/file", path)).toBe("written");
        await using source = await store.open("big/file");
        expect(source.size).toBe(size);
        expect(Buffer.compare(await source.read({ offset: 0, length: size }), content)).toBe(0);
        expect(await store.putFile("big/file", path, { ifAbsent: true })).toBe("exists");
        expect(await store.putFile("big/other", path, { ifAbsent: true })).toBe("written");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });

    it("leaves nothing of a put that was given up", async () => {
      const store = await openEmpty();
      const reason = new Error("given up");
      await expect(store.put("k", text("x"), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect(await keysOf(store, "")).toEqual([]);
    });

    it("gives an open object as it was, or says that it changed", async () => {
      const store = await openEmpty();
      await store.put("k", text("old content"));
      await using source = await store.open("k");
      await store.put("k", text("new content"));
      const answer = await source.read({ offset: 0, length: 11 }).then(
        (bytes) => new TextDecoder().decode(bytes),
        (error: unknown) => error,
      );
      if (typeof answer === "string") expect(answer).toBe("old content");
      else expect(answer).toMatchObject({ code: "image-changed" });
    });
  });
}

import { execFileSync } from "node:child_process";
import { appendFile, mkdir, mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SlidelightError } from "../errors/slidelight-error.ts";
import { byteSourceConformance } from "./byte-source-conformance.ts";
import type { ByteRange, ByteSource } from "./byte-source.ts";
import { cached } from "./cached.ts";
import { coalesced } from "./coalesced.ts";
import { openFileSource } from "./file-source.ts";
import { observed } from "./observed.ts";
import { openSource } from "./open.ts";
import { retried } from "./retried.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-source-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(content: Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random()}.bin`);
  await writeFile(path, content);
  return path;
}
const openWith = async (content: Uint8Array): Promise<ByteSource> => openFileSource(await fileOf(content));

byteSourceConformance("a file", openWith);
byteSourceConformance("coalesced", async (content) => coalesced(await openWith(content)));
byteSourceConformance("cached", async (content) => cached(await openWith(content)));
byteSourceConformance("cached in small blocks", async (content) =>
  cached(await openWith(content), { blockBytes: 100, maxBytes: 1_000 }),
);
byteSourceConformance("retried", async (content) => retried(await openWith(content)));
byteSourceConformance("observed", async (content) => observed(await openWith(content), () => undefined));
byteSourceConformance("all decorators", async (content) =>
  cached(coalesced(retried(observed(await openWith(content), () => undefined)))),
);

describe("a file as a byte source", () => {
  it.each([
    ["a file that is absent", () => join(folder, "absent.tif"), "image-not-found"],
    ["a folder", () => folder, "image-not-an-image"],
  ])("is refused: %s", async (_, path, code) => {
    await expect(openFileSource(path())).rejects.toMatchObject({ code });
    await expect(openSource(path())).rejects.toMatchObject({ code });
  });

  it.skipIf(process.platform === "win32")(
    "is refused when it is a named pipe, without waiting for a writer",
    async () => {
      const path = join(folder, "pipe");
      execFileSync("mkfifo", [path]);
      await expect(openFileSource(path)).rejects.toMatchObject({ code: "image-not-an-image" });
    },
  );

  it("is refused for an unknown scheme", async () => {
    await expect(openSource("gs://bucket/key")).rejects.toMatchObject({ code: "usage" });
  });

  it.each([
    ["grew", (path: string) => appendFile(path, "more")],
    ["shrank", (path: string) => truncate(path, 3)],
    ["was touched", (path: string) => utimes(path, new Date(1_000), new Date(1_000))],
  ])("that %s is met as changed", async (_, change) => {
    const path = await fileOf(Buffer.alloc(100, 1));
    await using source = await openFileSource(path);
    await source.read({ offset: 0, length: 100 });
    await change(path);
    await expect(source.read({ offset: 0, length: 100 })).rejects.toMatchObject({ code: "image-changed" });
  });

  it("may have spaces and Unicode in its path", async () => {
    await mkdir(join(folder, "ein Ordner"), { recursive: true });
    const path = join(folder, "ein Ordner", "切片 😀.tif");
    await writeFile(path, "abc");
    await using source = await openSource(path);
    expect(source.size).toBe(3);
  });
});

/** A source in memory that records its reads and lets the test decide how each ends. */
function scripted(answer: (range: ByteRange, signal: AbortSignal | undefined, call: number) => Promise<void>) {
  const reads: ByteRange[] = [];
  const source: ByteSource = {
    uri: "memory",
    size: 1_000_000,
    etag: "1",
    read: async (range, options) => {
      reads.push(range);
      await answer(range, options?.signal, reads.length);
      return new Uint8Array(range.length).fill(7);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { source, reads };
}

const untilAborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));

describe("coalesced reads", () => {
  it("join neighbours and leave far ranges alone", async () => {
    const { source, reads } = scripted(() => Promise.resolve());
    const joined = coalesced(source, { maxGapBytes: 100, maxReadBytes: 1_000 });
    const ranges = [
      { offset: 5_000, length: 10 },
      { offset: 0, length: 100 },
      { offset: 200, length: 100 },
      { offset: 401, length: 10 },
      { offset: 405, length: 700 },
    ];
    const answers = await Promise.all(ranges.map((range) => joined.read(range)));
    expect(answers.map(({ length }) => length)).toEqual([10, 100, 100, 10, 700]);
    expect(reads).toEqual([
      { offset: 0, length: 300 },
      { offset: 401, length: 704 },
      { offset: 5_000, length: 10 },
    ]);
  });

  it("go on for the others when one caller leaves, and stop when all have left", async () => {
    let aborted = false;
    const { source } = scripted((_, signal) =>
      untilAborted(signal).catch((error: unknown) => {
        aborted = true;
        throw error;
      }),
    );
    const joined = coalesced(source);
    const first = new AbortController();
    const second = new AbortController();
    const reads = [first, second].map(({ signal }, index) => joined.read({ offset: index, length: 1 }, { signal }));
    const ends = reads.map((read) => read.catch((error: unknown) => error));
    await new Promise((resolve) => setTimeout(resolve, 5));
    first.abort("first");
    expect(await ends[0]).toBe("first");
    expect(aborted).toBe(false);
    second.abort("second");
    expect(await ends[1]).toBe("second");
    expect(aborted).toBe(true);
  });
});

describe("a cache", () => {
  it("asks once for a block, and again after it was pushed out", async () => {
    const { source, reads } = scripted(() => Promise.resolve());
    const kept = cached(source, { blockBytes: 100, maxBytes: 200 });
    await Promise.all([kept.read({ offset: 10, length: 5 }), kept.read({ offset: 50, length: 20 })]);
    await kept.read({ offset: 0, length: 100 });
    expect(reads).toEqual([{ offset: 0, length: 100 }]);
    await kept.read({ offset: 100, length: 1 });
    await kept.read({ offset: 200, length: 1 });
    await kept.read({ offset: 0, length: 1 });
    expect(reads).toHaveLength(4);
  });

  it("forgets failures", async () => {
    const { source } = scripted((_, __, call) => (call === 1 ? Promise.reject(new Error("once")) : Promise.resolve()));
    const kept = cached(source);
    await expect(kept.read({ offset: 0, length: 1 })).rejects.toThrow("once");
    expect(await kept.read({ offset: 0, length: 1 })).toHaveLength(1);
  });
});

describe("retried reads", () => {
  const failure = (code: "store-unavailable" | "image-changed") => Promise.reject(new SlidelightError(code, "failed"));

  it("try again while the store is unavailable", async () => {
    const { source, reads } = scripted((_, __, call) => (call < 3 ? failure("store-unavailable") : Promise.resolve()));
    expect(await retried(source, { firstPauseMs: 1 }).read({ offset: 0, length: 4 })).toHaveLength(4);
    expect(reads).toHaveLength(3);
  });

  it("give up after the last attempt, and at once for other failures", async () => {
    const busy = scripted(() => failure("store-unavailable"));
    await expect(
      retried(busy.source, { attempts: 2, firstPauseMs: 1 }).read({ offset: 0, length: 4 }),
    ).rejects.toMatchObject({ code: "store-unavailable" });
    expect(busy.reads).toHaveLength(2);
    const changed = scripted(() => failure("image-changed"));
    await expect(retried(changed.source).read({ offset: 0, length: 4 })).rejects.toMatchObject({
      code: "image-changed",
    });
    expect(changed.reads).toHaveLength(1);
  });

  it("stop waiting when the signal aborts", async () => {
    const { source } = scripted(() => failure("store-unavailable"));
    const controller = new AbortController();
    const read = retried(source, { firstPauseMs: 60_000 }).read(
      { offset: 0, length: 4 },
      { signal: controller.signal },
    );
    setTimeout(() => controller.abort("enough"), 5);
    await expect(read).rejects.toBe("enough");
  });
});

describe("observed reads", () => {
  it("tell how many bytes they brought", async () => {
    const seen: number[] = [];
    await using source = observed(await openWith(Buffer.alloc(50)), (bytes) => seen.push(bytes));
    await source.read({ offset: 0, length: 10 });
    await source.read({ offset: 10, length: 40 });
    expect(seen).toEqual([10, 40]);
  });
});

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openStore } from "@slidelight/core";
import type { ObjectStore } from "@slidelight/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { imageLedgers } from "./ledger-listing.ts";

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slidelight-ledger-"));
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const [first, second] = ["0".repeat(32), "a".repeat(32)];

async function write(...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await mkdir(dirname(join(folder, key)), { recursive: true });
    await writeFile(join(folder, key), "");
  }
}

async function ledgers(of: ObjectStore = store): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { key, manifests, failures } of imageLedgers(of, {})) {
    found.push(`${key} ${manifests.length} ${failures.length}`);
  }
  return found;
}

test("an image's runs and failures come together, in whatever order their keys make the store list them", async () => {
  await write(
    `a.svs/${first}/manifest.json`,
    `a.svs/${second}/manifest.json`,
    `a.svs-1/${first}/manifest.json`,
    `deep/b.svs/${first}/manifest.json`,
    ".slidelight/failures/a.svs/image-1.json",
    ".slidelight/failures/a.svs-1/image-2.json",
    ".slidelight/failures/a.svs-1/image-3.json",
    ".slidelight/failures/c.svs/image-4.json",
    ".slidelight/failures/!.svs/image-5.json",
  );
  expect(await ledgers()).toEqual(
    ["!.svs 0 1", "a.svs-1 1 2", "a.svs 2 1", "deep/b.svs 1 0", "c.svs 0 1"].toSorted(order),
  );
});

test("what is no manifest of a run is passed over, also work in progress and the chunks of raw values", async () => {
  const chunks = Array.from({ length: 1100 }, (_, index) => `a.svs/${first}/map.zarr/0/c/${index}`);
  await write(...chunks);
  await write(
    `a.svs/${first}/map.tif`,
    `a.svs/${first}/manifest.json`,
    `b.svs/${first}/manifest.json`,
    "b.svs/manifest.json",
    `.slidelight/plans/x/${first}/manifest.json`,
    `!.svs/${first}/manifest.json`,
  );
  const starts: string[] = [];
  const watched: ObjectStore = {
    ...store,
    list: (prefix, options = {}) => {
      starts.push(`${prefix}>${options.after ?? ""}`);
      return store.list(prefix, options);
    },
  };
  expect(await ledgers(watched)).toEqual(["!.svs 1 0", "a.svs 1 0", "b.svs 1 0"]);
  expect(starts.filter((start) => start.startsWith(">"))).toEqual([">", ">.slidelight0", `>a.svs/${first}/map.zarr0`]);
});

test("an empty store holds no images", async () => {
  expect(await ledgers()).toEqual([]);
});

/** By the bytes of `<key>/`. */
function order(one: string, other: string): number {
  const key = (line: string): string => `${line.split(" ")[0] ?? ""}/`;
  return key(one) < key(other) ? -1 : 1;
}

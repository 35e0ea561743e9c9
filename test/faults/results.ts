import { createHash } from "node:crypto";
import { openStore, parseManifest } from "@slidelight/core";
import type { Manifest, ObjectStore } from "@slidelight/core";
import { parseFailureRecord, workPrefix, failurePrefix } from "@slidelight/contract";
import type { Archive } from "./archive.ts";

/** What lies below a place for results. */
export interface Results {
  /** By `<image key>/<run id>`, without what differs from run to run. */
  readonly manifests: ReadonlyMap<string, Omit<Manifest, "provenance">>;
  /** Codes of the failures that were recorded, by image key. */
  readonly records: ReadonlyMap<string, readonly string[]>;
  /** What should not be there, or is not as its manifest says. */
  readonly faults: readonly string[];
}

/** Reads everything, every byte. */
export async function readResults(archive: Archive, out: string): Promise<Results> {
  const store = openStore(`s3://${archive.bucket}/${out}`, archive.settings);
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  const manifests = new Map<string, Omit<Manifest, "provenance">>();
  const records = new Map<string, string[]>();
  const faults: string[] = [];
  const accounted = new Set<string>();
  for (const key of keys.filter((each) => each.endsWith("/manifest.json") && !each.startsWith(workPrefix))) {
    const run = key.slice(0, -"/manifest.json".length);
    const { provenance: _, ...manifest } = parseManifest(await bytesOf(store, key), key);
    manifests.set(run, manifest);
    accounted.add(key);
    for (const output of manifest.outputs) {
      accounted.add(`${run}/${output.path}`);
      if (!keys.includes(`${run}/${output.path}`)) {
        faults.push(`${run}/${output.path} is in the manifest, but not in the store`);
        continue;
      }
      const bytes = await bytesOf(store, `${run}/${output.path}`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      if (bytes.length !== output.bytes || sha256 !== output.sha256)
        faults.push(`${run}/${output.path} has other bytes than its manifest says`);
    }
  }
  for (const key of keys.filter((each) => each.startsWith(failurePrefix))) {
    const { image, code } = parseFailureRecord(await bytesOf(store, key), key);
    records.set(image.key, [...(records.get(image.key) ?? []), code]);
    accounted.add(key);
  }
  for (const key of keys) if (!accounted.has(key)) faults.push(`${out}/${key} was left behind`);
  return { manifests, records, faults };
}

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  await using source = await store.open(key);
  return source.read({ offset: 0, length: source.size });
}

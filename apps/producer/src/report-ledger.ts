import { parseFailureRecord } from "@slidelight/contract";
import type { FailureRecord } from "@slidelight/contract";
import { parseManifest, SlidelightError } from "@slidelight/core/request";
import type { Abortable, ObjectInfo, ObjectStore } from "@slidelight/core";
import { imageLedgers } from "./ledger-listing.ts";
import type { ImageLedger } from "./ledger-listing.ts";
import type { ReportEntry } from "./report-entry.ts";

/** Images whose objects are read together. */
const concurrency = 32;

export interface LedgerOptions extends Abortable {
  /** Read the manifests too, for methods, targets and sources; else entries of what was done tell the key and the run only. */
  readonly details: boolean;
}

/** What a store of results tells: all that was ever done there, and what failed and was not done since. */
export async function* ledgerEntries(store: ObjectStore, options: LedgerOptions): AsyncGenerator<ReportEntry> {
  let group: ImageLedger[] = [];
  const read = async (): Promise<readonly ReportEntry[]> => {
    const entries = await Promise.all(group.map((image) => entriesOf(image, { ...options, store })));
    group = [];
    return entries.flat();
  };
  for await (const image of imageLedgers(store, options)) {
    group.push(image);
    if (group.length >= concurrency) yield* await read();
  }
  yield* await read();
}

type ReadOptions = LedgerOptions & { readonly store: ObjectStore };

async function entriesOf(
  { key, manifests, failures }: ImageLedger,
  options: ReadOptions,
): Promise<readonly ReportEntry[]> {
  const entries: ReportEntry[] = [];
  for (const manifest of manifests) entries.push(await doneEntry(key, manifest, options));
  const doneMs = Math.max(0, ...manifests.map(({ modifiedMs }) => modifiedMs));
  const standing = new Map<string, FailureRecord>();
  for (const info of failures) {
    const record = await readJson(info, { ...options, parse: parseFailureRecord });
    if (record instanceof SlidelightError) {
      entries.push(unreadable(key, info, record));
      continue;
    }
    // What was done later is what counts.
    if (Date.parse(record.failedAt) < doneMs) continue;
    // An image that has changed and failed again has another record of the same work.
    const work = JSON.stringify([record.model.sha256, record.methods, record.targets]);
    const other = standing.get(work);
    if (other === undefined || other.failedAt < record.failedAt) standing.set(work, record);
  }
  for (const { image, methods, targets, code, message, attempts, failedAt } of standing.values()) {
    const asked = { method: methods.join(" "), target: targets.join(" ") };
    const failure = { code, message, attempts, at: failedAt };
    entries.push({ image: image.uri, key, status: "failed", runId: null, ...asked, output: null, ...failure });
  }
  return entries;
}

async function doneEntry(key: string, info: ObjectInfo, options: ReadOptions): Promise<ReportEntry> {
  const folder = info.key.slice(0, info.key.lastIndexOf("/"));
  const done: ReportEntry = {
    image: key,
    key,
    status: "done",
    runId: folder.slice(folder.lastIndexOf("/") + 1),
    method: null,
    target: null,
    output: `${options.store.uri}/${folder}`,
    code: null,
    message: null,
    attempts: null,
    at: new Date(info.modifiedMs).toISOString(),
  };
  if (!options.details) return done;
  const manifest = await readJson(info, { ...options, parse: parseManifest });
  if (manifest instanceof SlidelightError) return unreadable(key, info, manifest);
  return { ...done, image: manifest.image.source, method: manifest.method, target: manifest.target };
}

/** What is there and cannot be read is told like a failure: somebody must look at it. */
function unreadable(key: string, { modifiedMs }: ObjectInfo, { code, message }: SlidelightError): ReportEntry {
  const nothing = { runId: null, method: null, target: null, output: null, attempts: null };
  return { image: key, key, status: "failed", ...nothing, code, message, at: new Date(modifiedMs).toISOString() };
}

/** An object's meaning, or why it has none. @throws {SlidelightError} When the store does not answer. */
async function readJson<T>(
  { key }: ObjectInfo,
  { store, signal, parse }: ReadOptions & { readonly parse: (bytes: Uint8Array, uri: string) => T },
): Promise<T | SlidelightError> {
  await using source = await store.open(key, { signal });
  const bytes = await source.read({ offset: 0, length: source.size }, { signal });
  try {
    return parse(bytes, `${store.uri}/${key}`);
  } catch (error) {
    if (error instanceof SlidelightError && error.code === "job-invalid") return error;
    throw error;
  }
}

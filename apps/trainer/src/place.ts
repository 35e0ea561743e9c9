import { basename, dirname, resolve } from "node:path";
import { storageSettings } from "@slidelight/contract";
import { openStore, parseLocation, SlidelightError } from "@slidelight/core";
import type { ObjectStore } from "@slidelight/core";
import type { Call } from "./call.ts";

/** Where the model goes, and its report and checkpoint beside it. */
export interface Place {
  readonly store: ObjectStore;
  readonly model: string;
  readonly report: string;
  readonly checkpoint: string;
  /** For people. */
  uri(key: string): string;
}

export function placeOf(out: string, { config, context }: Call): Place {
  const location = parseLocation(out);
  const folder =
    location.kind === "s3" ? out.slice(0, out.lastIndexOf("/")) : dirname(resolve(context.folder, location.path));
  const model = basename(location.kind === "s3" ? location.key : location.path);
  return {
    store: openStore(folder, storageSettings(config.storage)),
    model,
    report: `${model.replace(/\.onnx$/u, "")}.report.html`,
    checkpoint: `${model}.checkpoint`,
    uri: (key) => `${out.slice(0, out.length - model.length)}${key}`,
  };
}

/**
 * Writes an empty object beside where the model goes, and removes it: hours later would be late to find out that it can't be written.
 * @throws {SlidelightError} `store-*`, `output-unwritable`.
 */
export async function tryPlace({ store, model }: Place, { context }: Call): Promise<void> {
  const { signal } = context;
  const trial = `${model}.trial`;
  await store.put(trial, new Uint8Array(), { signal });
  await store.delete(trial, { signal });
}

/** @throws {SlidelightError} `usage` when there is a checkpoint, and nobody said what is to become of it. */
export async function savedCheckpoint(
  { store, checkpoint, uri }: Place,
  { config, context }: Call,
): Promise<Uint8Array | undefined> {
  const { signal } = context;
  // A training that begins anew replaces it when it has something to save itself.
  if (config.restart || (await store.head(checkpoint, { signal })) === undefined) return undefined;
  if (!config.resume) {
    throw new SlidelightError(
      "usage",
      `Training ${config.out}: there is a checkpoint of a training that did not end, ${uri(checkpoint)}. Go on from it with --resume, or begin anew with --restart.`,
    );
  }
  await using file = await store.open(checkpoint, { signal });
  return await file.read({ offset: 0, length: file.size }, { signal });
}

/** Says what is left when training ends before its end. */
export async function keepingCheckpoint<T>(
  place: Place,
  { config, context, progress }: Call,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reached = await place.store.head(place.checkpoint).catch(() => undefined);
    if (reached !== undefined && !config.quiet) {
      const rate =
        error instanceof SlidelightError && error.code === "training-diverged" ? " --learning-rate <lower>" : "";
      const kept = context.signal.aborted ? "Interrupted; what was reached" : "The last good state";
      progress.line(`${kept} is in ${place.uri(place.checkpoint)}: go on with the same command and --resume${rate}.`);
    }
    throw error;
  }
}

import { basename, dirname, resolve } from "node:path";
import {
  addOptions,
  failureOf,
  listImages,
  openProgress,
  readModel,
  storageSettings,
  tellFailure,
} from "@slidelight/contract";
import type { CommandContext, Failure, ImageEntry, ImageJob, Progress } from "@slidelight/contract";
import { classNames, describeModel, openStore, parseLocation, parseTarget, SlidelightError } from "@slidelight/core";
import type { Abortable, ObjectInfo, StoreSettings } from "@slidelight/core";
import type { Command } from "commander";
import { addJobs } from "./add-jobs.ts";
import { enqueueOptions, loadEnqueueConfig } from "./config.ts";
import type { EnqueueConfig } from "./config.ts";
import { openQueue } from "./open-queue.ts";
import type { OpenQueue } from "./open-queue.ts";

const batchSize = 1000;
/** Look-ups of listed images that run together. */
const lookups = 32;

export function defineEnqueue(program: Command, context: CommandContext, finish: (status: number) => void): void {
  const command = program
    .command("enqueue")
    .description(
      "Add one job for each image: of a folder, s3://bucket/prefix/, a file with one image a line, or - for standard input. Run again, it adds what is missing.",
    )
    .argument("<source...>");
  addOptions(command, enqueueOptions).action(
    async (sources: readonly string[], flags: Readonly<Record<string, unknown>>) => {
      finish(await enqueue(sources, loadEnqueueConfig(context.environment, flags), context));
    },
  );
}

interface Counts {
  added: number;
  retried: number;
  present: number;
  failedBefore: number;
  readonly failures: { readonly image: string; readonly error: Failure }[];
}

async function enqueue(sources: readonly string[], config: EnqueueConfig, context: CommandContext): Promise<number> {
  const { folder, signal } = context;
  const storage = storageSettings(config.storage);
  const { model } = await readModel(config.model, { ...storage, signal });
  const { classes } = describeModel(model);
  for (const target of config.settings.targets) parseTarget(target, classNames(classes.length, classes));
  await using queue = await openQueue(config.queue);
  using progress = openProgress(context.stderr, {
    quiet: config.quiet,
    rate: (perSecond) => `${perSecond.toFixed(0)} images/s`,
  });
  const debug = (context.environment["SLIDELIGHT_DEBUG"] ?? "") !== "";
  const counts: Counts = { added: 0, retried: 0, present: 0, failedBefore: 0, failures: [] };
  const fail = (image: string, error: unknown): void => {
    tellFailure(error, { subject: image, debug, write: (line) => progress.line(line) });
    counts.failures.push({ image, error: failureOf(error) });
  };
  const jobOf = (entry: ImageEntry, info: ObjectInfo): ImageJob => ({
    version: 1,
    image: { uri: absolute(entry.uri, folder), key: entry.key, etag: info.etag, bytes: info.size },
    model: { uri: absolute(config.model, folder), sha256: model.sha256 },
    out: absolute(config.out, folder),
    settings: config.settings,
  });
  const flush = async (batch: readonly ImageEntry[]): Promise<void> => {
    const jobs = await jobsOf(batch, {
      jobOf,
      fail,
      lookUp: (entry) => lookUp(entry, { ...storage, folder, signal }),
      signal,
    });
    await add(jobs, { queue, counts, config, progress });
  };
  for (const source of sources) {
    let batch: ImageEntry[] = [];
    try {
      for await (const entry of listImages(source, {
        ...storage,
        folder,
        signal,
        extensions: config.extensions,
        input: context.stdin,
        files: "lists",
      })) {
        batch.push(entry);
        if (batch.length < batchSize) continue;
        await flush(batch);
        batch = [];
      }
    } catch (error) {
      if (signal.aborted || (error instanceof SlidelightError && error.code === "queue-unavailable")) throw error;
      fail(source, error);
    }
    await flush(batch);
  }
  return report(counts, { config, queue, context, progress });
}

interface JobListOptions {
  readonly jobOf: (entry: ImageEntry, info: ObjectInfo) => ImageJob;
  readonly fail: (image: string, error: unknown) => void;
  readonly lookUp: (entry: ImageEntry) => Promise<ObjectInfo>;
  readonly signal: AbortSignal;
}

/** An image that isn't there is told, and the others go on. */
async function jobsOf(
  batch: readonly ImageEntry[],
  { jobOf, fail, lookUp, signal }: JobListOptions,
): Promise<readonly ImageJob[]> {
  const jobs: ImageJob[] = [];
  for (let start = 0; start < batch.length; start += lookups) {
    const found = await Promise.all(
      batch.slice(start, start + lookups).map(async (entry) => {
        try {
          return jobOf(entry, entry.info ?? (await lookUp(entry)));
        } catch (error) {
          if (signal.aborted) throw error;
          fail(entry.uri, error);
          return undefined;
        }
      }),
    );
    for (const job of found) if (job !== undefined) jobs.push(job);
  }
  return jobs;
}

async function lookUp(
  { uri, key }: ImageEntry,
  options: StoreSettings & Abortable & { readonly folder: string },
): Promise<ObjectInfo> {
  const location = parseLocation(uri);
  const path = location.kind === "file" ? resolve(options.folder, location.path) : "";
  const info =
    location.kind === "s3"
      ? await openStore(`s3://${location.bucket}`, options).head(key, { signal: options.signal })
      : await openStore(dirname(path)).head(basename(path), { signal: options.signal });
  if (info !== undefined) return info;
  throw new SlidelightError(
    "image-not-found",
    `Looking up ${uri} failed: there is no such image. Check the path or the key.`,
  );
}

async function add(
  jobs: readonly ImageJob[],
  {
    queue,
    counts,
    config,
    progress,
  }: {
    readonly queue: OpenQueue;
    readonly counts: Counts;
    readonly config: EnqueueConfig;
    readonly progress: Progress;
  },
): Promise<void> {
  if (jobs.length === 0) return;
  const { added, retried, present, failed } = await addJobs(queue, jobs, config);
  counts.added += added;
  counts.retried += retried;
  counts.present += present;
  counts.failedBefore += failed;
  const done = counts.added + counts.retried + counts.present + counts.failedBefore;
  // The length of a listing is not known before its end.
  progress.update({ text: `${done} images listed, ${counts.added} added`, done, total: done + 1 });
}

function report(
  { added, retried, present, failedBefore, failures }: Counts,
  {
    config,
    queue,
    context,
    progress,
  }: {
    readonly config: EnqueueConfig;
    readonly queue: OpenQueue;
    readonly context: CommandContext;
    readonly progress: Progress;
  },
): number {
  if (added + retried + present + failedBefore + failures.length === 0) {
    throw new SlidelightError(
      "image-not-found",
      `Looking for images with the extensions ${config.extensions.join(", ")}: found none. See --extensions.`,
    );
  }
  if (config.json) {
    context.stdout.write(
      `${JSON.stringify({ queue: queue.name, added, retried, present, failedBefore, failures }, undefined, 2)}\n`,
    );
  }
  if (!config.quiet) {
    const again = retried === 0 ? "" : `${retried} tried again, `;
    const before = failedBefore === 0 ? "" : `${failedBefore} failed before (see slidelight status), `;
    progress.line(
      `${added} added, ${again}${present} already there, ${before}${failures.length} failed; queue ${queue.name}`,
    );
  }
  return failures.length === 0 ? 0 : 1;
}

/** Workers run elsewhere: what they are told does not depend on this folder. */
function absolute(uri: string, folder: string): string {
  const location = parseLocation(uri);
  return location.kind === "s3" ? uri : resolve(folder, location.path);
}

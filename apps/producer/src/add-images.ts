import type { Readable } from "node:stream";
import { listImages, noSpan, noteWorkerClass, readModel } from "@slidelight/contract";
import type { ImageEntry, ImageJob, ImageRequest, TraceSpan, Tracing } from "@slidelight/contract";
import { classNames, describeModel } from "@slidelight/core/read-model";
import { openStore, parseTarget, SlidelightError } from "@slidelight/core/request";
import type { Abortable, Model, ObjectInfo, StoreSettings } from "@slidelight/core";
import { addJobs } from "./add-jobs.ts";
import type { Added, AddOptions } from "./add-jobs.ts";
import { absolute, lookUp } from "./look-up.ts";
import { missingResults } from "./missing-results.ts";
import type { OpenQueue } from "./open-queue.ts";
import { runIdsOf } from "./run-ids.ts";

/** Images that are held at a time, whatever the archive's size. */
const batchSize = 1000;
/** Look-ups of listed images that run together. */
const lookups = 32;

/** What became of the images of a request. */
export interface ImageCounts extends Added {
  /** Have their results in the store, and were left out; known only where that was looked at. */
  readonly done: number;
  /** Images that could not be looked up, and sources that could not be listed; each was told. */
  readonly unreadable: number;
}

export const noImages: ImageCounts = {
  added: 0,
  retried: 0,
  present: 0,
  failed: 0,
  cancelled: 0,
  done: 0,
  unreadable: 0,
};

export interface AddImagesOptions extends Abortable, Pick<AddOptions, "cancelled"> {
  readonly queue: OpenQueue;
  readonly storage: StoreSettings;
  /** Where the source `-` reads from. */
  readonly input?: Readable;
  /** Leave out images whose results are all there. */
  readonly newOnly: boolean;
  readonly tracing: Tracing;
  /** The span of the command or the plan: the images have traces of their own, which point to it. */
  readonly span: TraceSpan;
  /** An image that could not be looked up. */
  readonly unreadable: (image: string, error: unknown) => void;
  /** A source that could not be listed to its end. */
  readonly unlisted: (source: string, error: unknown) => void;
  readonly progress: (counts: ImageCounts) => void;
}

/**
 * Lists the images of a request and adds a job for each, a batch at a time.
 * @throws {SlidelightError} For the model, the targets, the queue and the store of the results. What was added stays.
 */
export async function addImages(request: ImageRequest, options: AddImagesOptions): Promise<ImageCounts> {
  const { folder, sources } = request;
  const { queue, storage, signal, newOnly } = options;
  const model = await checkedModel(request, options);
  const out = absolute(request.out, folder);
  const store = openStore(out, storage);
  await queue.ask(`Adding jobs to ${queue.name}`, () => noteWorkerClass(queue.redis, queue.suffix));
  let counts = noImages;
  const counted =
    (tell: AddImagesOptions["unreadable"]): AddImagesOptions["unreadable"] =>
    (subject, error) => {
      counts = { ...counts, unreadable: counts.unreadable + 1 };
      tell(subject, error);
    };
  const unreadable = counted(options.unreadable);
  const unlisted = counted(options.unlisted);
  const jobOf = (entry: ImageEntry, info: ObjectInfo): ImageJob => ({
    image: { uri: absolute(entry.uri, folder), key: entry.key, etag: info.etag, bytes: info.size },
    model: { uri: absolute(request.model, folder), sha256: model.sha256 },
    out,
    settings: request.settings,
  });
  const flush = async (batch: readonly ImageEntry[]): Promise<void> => {
    if (batch.length === 0) return;
    const jobs = await jobsOf(batch, {
      jobOf,
      unreadable,
      lookUp: (entry) => lookUp(entry, { ...storage, folder, signal }),
      signal,
    });
    const wanted = newOnly ? await missingResults(jobs, { store, model, signal }) : jobs;
    const trace = imageTraces(queue, { ...options, model });
    const added = await addJobs(queue, wanted, { ...request, cancelled: options.cancelled, missing: newOnly, trace });
    await options.tracing.flush();
    counts = sum(counts, { ...noImages, ...added, done: jobs.length - wanted.length });
    options.progress(counts);
  };
  for (const source of sources) {
    for await (const batch of batches(source, { request, options, unlisted })) await flush(batch);
  }
  return counts;
}

/** One trace for each image: it goes from here to the commit, and is sampled by itself. */
function imageTraces(
  { name }: OpenQueue,
  { tracing, span, model }: Pick<AddImagesOptions, "tracing" | "span"> & { readonly model: Model },
): (jobId: string, job: ImageJob) => TraceSpan {
  if (!tracing.on) return () => noSpan;
  return (jobId, job) =>
    tracing.span("enqueue image", {
      kind: "producer",
      link: span.carrier,
      attributes: {
        "messaging.system": "bullmq",
        "messaging.operation.type": "send",
        "messaging.destination.name": name,
        "messaging.message.id": jobId,
        "slidelight.image": job.image.uri,
        "slidelight.run_ids": [...(runIdsOf(job, model) ?? [])],
      },
    });
}

/** Wrong targets are found before the first image. */
export async function checkedModel(
  request: ImageRequest,
  { storage, signal }: Pick<AddImagesOptions, "storage" | "signal">,
): Promise<Model> {
  const { model } = await readModel(absolute(request.model, request.folder), { ...storage, signal });
  const { classes } = describeModel(model);
  for (const target of request.settings.targets) parseTarget(target, classNames(classes.length, classes));
  return model;
}

/** A source that cannot be listed to its end is told, and what was listed before is not lost. */
async function* batches(
  source: string,
  {
    request,
    options,
    unlisted,
  }: {
    readonly request: ImageRequest;
    readonly options: AddImagesOptions;
    readonly unlisted: AddImagesOptions["unlisted"];
  },
): AsyncGenerator<readonly ImageEntry[]> {
  const { storage, signal, input } = options;
  const entries = listImages(source, {
    ...storage,
    folder: request.folder,
    signal,
    extensions: request.extensions,
    files: "lists",
    ...(input === undefined ? {} : { input }),
  });
  let batch: ImageEntry[] = [];
  for (;;) {
    let next: IteratorResult<ImageEntry>;
    try {
      next = await entries.next();
    } catch (error) {
      if (signal?.aborted === true) throw error;
      unlisted(source, error);
      break;
    }
    if (next.done === true) break;
    batch.push(next.value);
    if (batch.length < batchSize) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

interface JobListOptions extends Abortable {
  readonly jobOf: (entry: ImageEntry, info: ObjectInfo) => ImageJob;
  readonly unreadable: AddImagesOptions["unreadable"];
  readonly lookUp: (entry: ImageEntry) => Promise<ObjectInfo>;
}

/** An image that isn't there is told, and the others go on. */
async function jobsOf(
  batch: readonly ImageEntry[],
  { jobOf, unreadable, lookUp: find, signal }: JobListOptions,
): Promise<readonly ImageJob[]> {
  const jobs: ImageJob[] = [];
  for (let start = 0; start < batch.length; start += lookups) {
    const found = await Promise.all(
      batch.slice(start, start + lookups).map(async (entry) => {
        try {
          return jobOf(entry, entry.info ?? (await find(entry)));
        } catch (error) {
          if (signal?.aborted === true) throw error;
          unreadable(entry.uri, error);
          return undefined;
        }
      }),
    );
    for (const job of found) if (job !== undefined) jobs.push(job);
  }
  return jobs;
}

function sum(one: ImageCounts, other: ImageCounts): ImageCounts {
  return {
    added: one.added + other.added,
    retried: one.retried + other.retried,
    present: one.present + other.present,
    failed: one.failed + other.failed,
    cancelled: one.cancelled + other.cancelled,
    done: one.done + other.done,
    unreadable: one.unreadable + other.unreadable,
  };
}

/** Images of a request, whatever became of them. */
export function totalOf(counts: ImageCounts): number {
  return Object.values(counts).reduce((total: number, count: number) => total + count, 0);
}

/** @throws {SlidelightError} `image-not-found` when a request stands for no image at all. */
export function refuseNone(counts: ImageCounts, { sources, extensions }: ImageRequest): void {
  if (totalOf(counts) > 0) return;
  throw new SlidelightError(
    "image-not-found",
    `Looking for images with the extensions ${extensions.join(", ")} in ${sources.join(", ")}: found none. See --extensions.`,
  );
}

import { setMaxListeners } from "node:events";
import { failedReason, failureOf, parseImageJob, readModel } from "@slidelight/contract";
import type { ImageJob, ImageJobProgress, LoadedModel } from "@slidelight/contract";
import { explainImage, isRetryable, openSource, openStore, SlidelightError } from "@slidelight/core";
import type {
  Engine,
  ExplanationResult,
  Finisher,
  ImageLimits,
  Observe,
  PipelineEvent,
  ProgramCache,
  StoreSettings,
} from "@slidelight/core";
import { UnrecoverableError, WaitingError } from "bullmq";
import type { Job } from "bullmq";
import type { Logger } from "pino";
import type { Metrics } from "./metrics.ts";

export interface ProcessorResources {
  readonly engine: Engine;
  readonly programs: ProgramCache;
  readonly finisher: Finisher;
  readonly storage: StoreSettings;
  readonly scratch: string;
  readonly limits: ImageLimits;
  readonly memoryBytes?: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Aborted when the worker stops: the running job is handed back. */
  readonly stopping: AbortSignal;
}

type ImageProcessor = (
  job: Job,
  token: string | undefined,
  signal: AbortSignal | undefined,
) => Promise<readonly ExplanationResult[]>;

const progressMs = 1000;
const keptModels = 4;

/** Does one job: explains its image. What it returns are pointers to the results, small enough for Redis. */
export function imageProcessor(resources: ProcessorResources): ImageProcessor {
  const models = new Map<string, Promise<LoadedModel>>();
  return async (job, token, signal) => {
    const log = resources.log.child({ jobId: job.id, attempt: job.attemptsMade + 1 });
    const given = signal === undefined ? [resources.stopping] : [resources.stopping, signal];
    const stop = AbortSignal.any(given);
    // Every request in flight listens to it.
    setMaxListeners(0, stop);
    const startedMs = performance.now();
    try {
      const payload = parseImageJob(job.data);
      log.info({ image: payload.image.uri }, "image started");
      const results = await explainJob(payload, { resources, models, stop, observe: observing(job, resources, log) });
      const seconds = (performance.now() - startedMs) / 1000;
      for (const result of results) {
        if (result.status === "failed") continue;
        const { status, runId, method, output } = result;
        log.info({ runId, status, method, output, seconds }, "image explained");
      }
      // What was done is skipped when the job is tried again.
      const failed = results.find((result) => result.status === "failed");
      if (failed !== undefined) throw failed.error;
      resources.metrics.image(results.every(({ status }) => status === "skipped") ? "skipped" : "done");
      return results;
    } catch (error) {
      if (resources.stopping.aborted && token !== undefined) {
        // Costs no attempt: the next worker takes it first.
        await job.moveToWait(token);
        resources.metrics.image("handed-back");
        log.info("image handed back");
        throw new WaitingError();
      }
      const failure = failureOf(error);
      const final = error instanceof SlidelightError && !isRetryable(error.code);
      const last = final || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      resources.metrics.failure(failure.code);
      if (last) resources.metrics.image("failed");
      log[last ? "error" : "warn"](
        { ...failure, ...(failure.code === "unexpected" ? { err: error } : {}) },
        "image failed",
      );
      const reason = failedReason(failure);
      throw final ? new UnrecoverableError(reason) : new Error(reason, { cause: error });
    }
  };
}

interface JobOptions {
  readonly resources: ProcessorResources;
  readonly models: Map<string, Promise<LoadedModel>>;
  readonly stop: AbortSignal;
  readonly observe: Observe;
}

async function explainJob(payload: ImageJob, options: JobOptions): Promise<readonly ExplanationResult[]> {
  const { resources, stop, observe } = options;
  const { image, settings, out } = payload;
  const { model } = await modelOf(payload, options);
  const { engine, programs, finisher, storage, scratch, limits, memoryBytes } = resources;
  return explainImage(
    { uri: image.uri, key: image.key, open: (abortable) => openSource(image.uri, { ...storage, ...abortable }) },
    settings,
    {
      engine,
      programs,
      finisher,
      model,
      output: openStore(out, storage),
      scratch,
      limits,
      observe,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    },
    { signal: stop },
  );
}

/** The model, kept for the jobs that follow. @throws {SlidelightError} `job-invalid` when it has changed. */
async function modelOf({ model }: ImageJob, { resources, models }: JobOptions): Promise<LoadedModel> {
  const known = models.get(model.sha256);
  const loading = known ?? readModel(model.uri, { ...resources.storage, signal: resources.stopping });
  if (known === undefined) {
    models.set(model.sha256, loading);
    const [oldest] = models.keys();
    if (models.size > keptModels && oldest !== undefined) models.delete(oldest);
  }
  try {
    const loaded = await loading;
    if (loaded.model.sha256 === model.sha256) return loaded;
    throw new SlidelightError(
      "job-invalid",
      `Loading the model ${model.uri}: expected the one that was there when the job was made (SHA-256 ${model.sha256}), got ${loaded.model.sha256}. Enqueue again.`,
    );
  } catch (error) {
    models.delete(model.sha256);
    throw error;
  }
}

/** Events as metrics, and now and then as the job's progress. */
function observing(job: Job, { metrics }: ProcessorResources, log: Logger): Observe {
  let tiles = 0;
  let done = 0;
  let saidMs = Number.NEGATIVE_INFINITY;
  return (event: PipelineEvent) => {
    metrics.observe(event);
    if (event.kind === "warning") log.warn(event.message);
    if (event.kind === "image-planned") tiles += event.tiles * event.sweeps;
    if (event.kind === "tile-done") done += 1;
    if (event.kind !== "tile-done" || (performance.now() - saidMs < progressMs && done < tiles)) return;
    saidMs = performance.now();
    const progress: ImageJobProgress = { done, tiles };
    // Progress that can't be told is no reason to stop.
    job.updateProgress({ ...progress }).catch((error: unknown) => log.debug({ err: error }, "progress not told"));
  };
}

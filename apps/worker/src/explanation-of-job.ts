import type { ImageJob, ImageJobProgress } from "@slidelight/contract";
import { openSource, openStore } from "@slidelight/core";
import type {
  ExplanationResources,
  ExplanationSettings,
  ImageReference,
  Observe,
  PipelineEvent,
} from "@slidelight/core";
import type { HeldJob } from "./held-job.ts";
import { begunOf } from "./work-of.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** What the pipeline needs for a job's image. */
export interface ExplanationOfJob {
  readonly image: ImageReference;
  readonly settings: ExplanationSettings;
  readonly resources: ExplanationResources;
}

/** @throws {SlidelightError} As the model cache does. */
export async function explanationOf(
  { image, model, out, settings }: ImageJob,
  held: HeldJob,
  worker: WorkerResources,
): Promise<ExplanationOfJob> {
  const { engine, programs, finisher, readers, speeds, storage, scratch, limits, memoryBytes } = worker;
  return {
    image: {
      uri: image.uri,
      key: image.key,
      open: (abortable) => openSource(image.uri, { ...storage, ...abortable }),
    },
    settings,
    resources: {
      engine,
      programs,
      finisher,
      readers,
      speeds,
      model: await worker.models.get(model, { signal: worker.stopping }),
      output: openStore(out, storage),
      scratch,
      leaving: worker.stopping,
      limits,
      observe: observing(held, worker),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    },
  };
}

const progressMs = 1000;

/** Events as metrics and parts of the trace, and now and then as the job's progress. */
function observing({ job, log, trace }: HeldJob, { metrics }: WorkerResources): Observe {
  const { kept } = trace;
  const before = begunOf(job);
  let progress: ImageJobProgress = { done: 0, tiles: 0, ...(kept === undefined ? {} : { trace: kept }) };
  let saidMs = Number.NEGATIVE_INFINITY;
  const tell = (): void => {
    saidMs = performance.now();
    // Progress that can't be told is no reason to stop.
    job.updateProgress({ ...progress }).catch((error: unknown) => log.debug({ err: error }, "progress not told"));
  };
  return (event: PipelineEvent) => {
    metrics.observe(event);
    trace.observe(event);
    if (event.kind === "warning") log.warn({ why: event.message }, "image warning");
    if (event.kind === "image-planned") progress = { ...progress, tiles: progress.tiles + event.tiles * event.sweeps };
    if (event.kind === "work-begun") {
      const { work, maker, runs } = event;
      // The lines of this job that follow tell them; twice in a line they would stand else.
      if (!Object.hasOwn(log.bindings(), "runIds")) log.setBindings({ runIds: runs });
      const anew = before === undefined ? 0 : before.anew + (before.work === work ? 0 : 1);
      progress = { ...progress, work, maker, anew, runIds: runs };
      tell();
    }
    if (event.kind !== "tile-done") return;
    progress = { ...progress, done: progress.done + 1 };
    if (performance.now() - saidMs >= progressMs || progress.done === progress.tiles) tell();
  };
}

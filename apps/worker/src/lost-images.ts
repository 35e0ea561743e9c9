import { isOfLostWorkers, parseFailedReason } from "@slidelight/contract";
import { failureFields } from "@slidelight/contract/service";
import type { Job, Worker } from "bullmq";
import { aboutImage, imageFailed } from "./image-processor.ts";
import type { ImageQueues } from "./image-processor.ts";
import type { WorkerResources } from "./worker-resources.ts";

/** Records of images that failed because every worker that took them up was lost. */
export interface LostImages {
  /** Resolves when those that were begun are written. */
  written(): Promise<void>;
}

/** Writes them down as others that failed: BullMQ fails them by itself, and whichever worker notices is told. */
export function recordLostImages(images: Worker, resources: WorkerResources, queues: ImageQueues): LostImages {
  const { log, metrics } = resources;
  const recording = new Set<Promise<void>>();
  images.on("failed", (job, error) => {
    if (!isLostForGood(job, error)) return;
    metrics.image("failed");
    // BullMQ has counted it already.
    const attempts = job.attemptsMade;
    const { code, message } = parseFailedReason(error.message);
    const failure = { code, message, attempts, last: true };
    metrics.failure("images", { code, final: true });
    const jobLog = log.child({ queue: images.name, jobId: job.id, attempt: attempts, ...aboutImage(job) });
    jobLog.error({ ...failureFields(failure), last: true }, "image failed");
    const record = imageFailed({ job, log: jobLog }, failure, { resources, queues })
      .catch((trouble: unknown) => jobLog.warn({ err: trouble }, "the failure could not be written down"))
      .finally(() => recording.delete(record));
    recording.add(record);
  });
  return {
    written: async () => {
      await Promise.all(recording);
    },
  };
}

/** What BullMQ itself fails, an image whose workers were all lost, no attempt of this worker tells of. */
function isLostForGood(job: Job | undefined, error: Error): job is Job {
  return job !== undefined && job.finishedOn !== undefined && isOfLostWorkers(error.message);
}

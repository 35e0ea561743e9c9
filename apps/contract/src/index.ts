export { byteCount } from "./byte-count.ts";
export { runCommand } from "./command.ts";
export type { CommandContext, Commands, Streams } from "./command.ts";
export { cancellationKey, cancellationSeconds } from "./cancellation.ts";
export {
  engineChoiceKeys,
  engineChoiceOptions,
  engineChoiceSchema,
  engineSettings,
  openEngineOf,
} from "./engine-choice.ts";
export { describeFailure, failureCodes, failureOf, mayPass, tellFailure } from "./failure.ts";
export type { Failure } from "./failure.ts";
export {
  encodeFailureRecord,
  failureKey,
  failurePrefix,
  parseFailureRecord,
  workPrefix,
} from "./failure-record.ts";
export type { FailureRecord } from "./failure-record.ts";
export { imageExtensions, listImages } from "./image-list.ts";
export type { ImageEntry } from "./image-list.ts";
export {
  failedReason,
  imageJobId,
  imageJobPayload,
  imageJobProgressSchema,
  imageJobVersions,
  isOfLostWorkers,
  parseFailedReason,
  parseImageJob,
} from "./image-job.ts";
export type { ImageJob, ImageJobProgress } from "./image-job.ts";
export { newerDelayMs } from "./newer-jobs.ts";
export { readModel } from "./model.ts";
export type { LoadedModel } from "./model.ts";
export { flag, list, pick } from "./option-kinds.ts";
export { addOptions, gatherOptions, parseOptions } from "./options.ts";
export type { Environment, OptionRow, OptionTable } from "./options.ts";
export { imageRequestSchema, parsePlanJob, planJobPayload } from "./plan-job.ts";
export type { ImageRequest, PlanJob } from "./plan-job.ts";
export { priorities, priorityNames } from "./priority.ts";
export type { PriorityName } from "./priority.ts";
export { processName } from "./process-name.ts";
export { openProgress } from "./progress.ts";
export type { Progress } from "./progress.ts";
export { knownWorkerClasses, noteWorkerClass, workerClassName } from "./worker-classes.ts";
export { imageQueueName, planQueueName, shardQueueName } from "./queue-names.ts";
export { queueOptions, queueSchema, redactedUrl } from "./queue-options.ts";
export { keptJobs, retryPolicy } from "./retry-policy.ts";
export { explanationOptions, settingsKeys, settingsSchema } from "./settings.ts";
export { parseShardJob, shardJobId, shardJobPayload } from "./shard-job.ts";
export type { ShardJob } from "./shard-job.ts";
export { storageKeys, storageOptions, storageSchema, storageSettings } from "./storage.ts";
export { noSpan, openTracing, traceHelp } from "./tracing.ts";
export type { TraceAttributes, TraceSpan, Tracing } from "./tracing.ts";
export { aborted, within } from "./patience.ts";
export { asking, connect, openLastingRedis } from "./open-redis.ts";
export type { Ask } from "./open-redis.ts";

export { chooseEngine } from "./engine/choose-engine.ts";
export type { Engine, Precision, Program } from "./engine/engine.ts";
export { availableBytes } from "./io/available-bytes.ts";
export { engineChoices, engineNames, openEngine } from "./engine/engines.ts";
export type { EngineChoice, EngineName, EngineRequest, EngineSettings } from "./engine/engines.ts";
export { speedOf } from "./engine/measure.ts";
export type { SpeedOptions } from "./engine/measure.ts";
export { errorCodes, isRetryable } from "./errors/codes.ts";
export type { ErrorCode } from "./errors/codes.ts";
export { schemaFaults } from "./errors/schema-faults.ts";
export { SlidelightError } from "./errors/slidelight-error.ts";
export type { ErrorDetail } from "./errors/slidelight-error.ts";
export { classNames } from "./explain/classes.ts";
export { methodNames } from "./explain/methods/index.ts";
export type { MethodName } from "./explain/methods/index.ts";
export type { PlanOptions } from "./explain/draft.ts";
export { parseTarget } from "./explain/target.ts";
export type { Target } from "./explain/target.ts";
export { defaultImageLimits } from "./format/image.ts";
export type { ImageLevel, ImageLimits, Pixels, SlideImage, UnreadableCode, UnreadablePart } from "./format/image.ts";
export { openImage } from "./format/images/open-image.ts";
export type { OpenImageOptions } from "./format/images/open-image.ts";
export { encodeOnnx } from "./format/onnx/encode.ts";
export { readOnnx } from "./format/onnx/read-onnx.ts";
export { manifestName } from "./format/output/commit.ts";
export { openFinisher } from "./format/output/finish.ts";
export type { Finisher } from "./format/output/finish.ts";
export { openReaders } from "./format/readers/open-readers.ts";
export type { ImageReaders } from "./format/readers/open-readers.ts";
export { pictureMap, pictureMask, picturePixels } from "./format/output/small-picture.ts";
export { manifestSchema, parseManifest } from "./format/output/manifest.ts";
export type { Manifest } from "./format/output/manifest.ts";
export { balancedTileGrid, coreOf, tileCount } from "./geometry/tile-grid.ts";
export type { TileGrid } from "./geometry/tile-grid.ts";
export type { Interval } from "./geometry/interval.ts";
export type { Size } from "./geometry/rectangle.ts";
export type { Abortable, ByteSource } from "./io/byte-source.ts";
export { parseLocation } from "./io/location.ts";
export type { Location } from "./io/location.ts";
export type { ObjectInfo, ObjectStore } from "./io/object-store.ts";
export { openSource, openStore } from "./io/open.ts";
export type { StoreSettings } from "./io/open.ts";
export { openScratch } from "./io/scratch.ts";
export type { Scratch } from "./io/scratch.ts";
export type { S3Settings } from "./io/s3-client.ts";
export type { RetryReason } from "./io/s3-retry.ts";
export { describeModel } from "./model/describe.ts";
export type { ModelDescription } from "./model/describe.ts";
export type { Model } from "./model/model.ts";
export { uniforms } from "./model/random.ts";
export { defaultUNet, unetGraph, unetParameters } from "./model/unet.ts";
export type { UNetSettings } from "./model/unet.ts";
export type { Observe, PipelineEvent, Stage } from "./pipeline/events.ts";
export type { ShardReference } from "./pipeline/compute-groups.ts";
export { advanceImage, explainImage } from "./pipeline/explain-image.ts";
export type { BegunWork, ImageProgress, SharedWork } from "./pipeline/explain-image.ts";
export { chooseSample } from "./evaluate/choose-sample.ts";
export type { MapScores } from "./evaluate/map-scores.ts";
export { explainedTargets, openEvaluation } from "./pipeline/evaluate-images.ts";
export type {
  Evaluation,
  EvaluationResult,
  ExplainedTarget,
  ImageEvaluation,
  MethodEvaluation,
} from "./pipeline/evaluate-images.ts";
export { faultsOfModel } from "./pipeline/faults-of-model.ts";
export type { FaultOfModel } from "./pipeline/faults-of-model.ts";
export { suitableMethods } from "./pipeline/suitable-methods.ts";
export type { UnsuitableMethod } from "./pipeline/suitable-methods.ts";
export { explainPixels, openPixelExplainer } from "./pipeline/explain-pixels.ts";
export type { PixelExplanation, PixelResources } from "./pipeline/explain-pixels.ts";
export { explainShard } from "./pipeline/explain-shard.ts";
export type { ExplainShard } from "./pipeline/explain-shard.ts";
export type { ExplanationResources, ImageReference } from "./pipeline/image-work.ts";
export {
  checkpointLimits,
  isDivided,
  leastSharedSeconds,
  planShards,
  secondsOf,
  shardLimits,
} from "./pipeline/shards/plan-shards.ts";
export type { ShardLimits, SweepCost } from "./pipeline/shards/plan-shards.ts";
export { openSpeedMeter } from "./pipeline/speed-meter.ts";
export type { SpeedMeter } from "./pipeline/speed-meter.ts";
export { openProgramCache } from "./pipeline/program-cache.ts";
export type { ProgramCache } from "./pipeline/program-cache.ts";
export { describeMaker, isSameMaker, makerOf } from "./pipeline/shards/work-maker.ts";
export type { WorkMaker } from "./pipeline/shards/work-maker.ts";
export { forgetWork } from "./pipeline/shards/work-place.ts";
export { versions } from "./pipeline/versions.ts";
export { runId } from "./pipeline/run-id.ts";
export type { ExplanationResult, ExplanationSettings } from "./pipeline/settings.ts";
export { readAhead } from "./pipeline/read-ahead.ts";
export type { LabelledImages } from "./train/batches.ts";
export { decodeCheckpoint, encodeCheckpoint } from "./train/checkpoint.ts";
export type { TrainingIdentity } from "./train/checkpoint.ts";
export type { TrainedNetwork } from "./train/parameters.ts";
export type { Confusion, EpochRecord, TrainingProgress } from "./train/progress.ts";
export { accuracyOf } from "./train/scores.ts";
export type { TrainingSettings } from "./train/settings.ts";
export { balancedWeights } from "./train/split.ts";
export type { DataSplit } from "./train/split.ts";
export { trainNetwork } from "./train/train-network.ts";
export type { Trained, TrainingEvent } from "./train/train-network.ts";
export { initialTraining, openTrainer } from "./train/trainer.ts";
export { encodeTrainedModel } from "./train/trained-model.ts";

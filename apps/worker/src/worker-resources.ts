import type {
  Engine,
  Finisher,
  ImageLimits,
  ImageReaders,
  ProgramCache,
  ShardLimits,
  SpeedMeter,
  StoreSettings,
} from "@slidelight/core";
import type { Tracing } from "@slidelight/contract";
import type { Logger } from "pino";
import type { Cancellations } from "./cancellations.ts";
import type { EngineHealth } from "./engine-health.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelCache } from "./model-cache.ts";
import type { PresentMakers } from "./present-makers.ts";
import type { Pressure } from "./pressure.ts";

/** What all jobs of a worker share. */
export interface WorkerResources {
  /** Its name in logs and failure records. */
  readonly worker: string;
  readonly engine: Engine;
  readonly health: EngineHealth;
  readonly programs: ProgramCache;
  readonly finisher: Finisher;
  readonly readers: ImageReaders;
  readonly speeds: SpeedMeter;
  readonly models: ModelCache;
  readonly storage: StoreSettings;
  readonly scratch: string;
  readonly limits: ImageLimits;
  readonly shards: ShardLimits;
  readonly memoryBytes?: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly tracing: Tracing;
  /** Aborted when the worker stops: the jobs that it holds are handed back. */
  readonly stopping: AbortSignal;
  readonly cancellations: Cancellations;
  readonly pressure: Pressure;
  readonly makers: PresentMakers;
  /** Asked before a job is begun. */
  readonly hasRoom: () => Promise<boolean>;
}

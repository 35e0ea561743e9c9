import type { ShardLimits } from "@slidelight/core";
import type { Archive } from "./slides.ts";
import type { Reading } from "./tiles.ts";
import type { WorkerClass } from "./worker-classes.ts";

/** Workers that may be taken away at any time, as machines that are let cheaply are. */
export interface Preemption {
  /** Share of the workers that is lost in an hour. */
  readonly hourly: number;
  /** Share of these that is lost without a signal (SIGKILL); the others hand back what they have. */
  readonly killed: number;
  /** Seconds until another machine starts in its place. */
  readonly replacement: number;
}

/** In any one currency; workers have prices of their own. */
export interface Prices {
  /** For 1,000 requests that write or list. */
  readonly put: number;
  /** For 1,000 requests that read. */
  readonly get: number;
  /** For a GB of results kept for a month. */
  readonly gbMonth: number;
  readonly months: number;
}

/** Everything that decides a simulated night. Durations are in seconds. */
export interface Night {
  readonly archive: Archive;
  readonly reading: Reading;
  readonly workers: readonly { readonly class: WorkerClass; readonly count: number }[];
  readonly limits: ShardLimits;
  readonly sweeps: number;
  /** Over which the slides are enqueued, evenly; 0: all are there at the start. */
  readonly arrival: number;
  /** Opening an image, finding its tissue and choosing its tiles; again before each further round of shards. */
  readonly planning: number;
  /** Beside what each megapixel costs. */
  readonly commit: number;
  /** Of what is written of a result, for each pixel that was computed. */
  readonly mapBytesPerPixel: number;
  /** Share of attempts of a job that fail for a reason that may pass. */
  readonly failureRate: number;
  readonly attempts: number;
  readonly preemption: Preemption;
  /** A lock that nobody renews runs out after so long, and is looked for as often. */
  readonly lock: number;
  /** A job that was lost more often has failed. */
  readonly losses: number;
  readonly prices: Prices;
  readonly seed: number;
}

import type { JobLines } from "./job-lines.ts";
import { shardJobState } from "./jobs.ts";
import type { ImageJobState, JobState, ShardJobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import { failureWritten, planWritten, resultWritten, shardWritten } from "./run-requests.ts";
import { count, tallySlide } from "./tally.ts";
import type { Tally } from "./tally.ts";

/** The virtual time, in seconds since the night began. */
export interface Clock {
  now: number;
}

export interface SimulationHooks {
  /** Called for each round of shards that is added. */
  onShards?(image: ImageJobState, shards: readonly ShardJobState[]): void;
  /** Called for each slide, when it has ended. */
  onSlide?(image: ImageJobState): void;
}

/** What becomes of jobs: each method is one step that the queue and the store see. */
export interface Outcomes {
  /** A round of shards: those of its next sweep. */
  addShards(image: ImageJobState): void;
  shardDone(shard: ShardJobState): void;
  /** A shard that nobody needs any more: its image has failed. */
  shardDropped(): void;
  imageDone(image: ImageJobState): void;
  /** For good; a shard takes its image with it. */
  failed(job: JobState, code: string): void;
}

export function openOutcomes(
  night: Night,
  {
    clock,
    lines,
    tally,
    hooks,
  }: { readonly clock: Clock; readonly lines: JobLines; readonly tally: Tally; readonly hooks: SimulationHooks },
): Outcomes {
  const addShards = (image: ImageJobState): void => {
    const { sweep, plan } = image;
    const intervals = plan === undefined || plan === "alone" ? [] : (plan[sweep]?.shards ?? []);
    const shards = intervals.map((interval) => shardJobState(image, sweep, interval));
    hooks.onShards?.(image, shards);
    planWritten(tally.store);
    image.sweep += 1;
    image.shards += shards.length;
    image.openShards = shards.length;
    tally.shardsAdded += shards.length;
    tally.redis.shardAdded(shards.length);
    for (const shard of shards) lines.add(shard);
  };

  const shardDropped = (): void => {
    tally.shardsDropped += 1;
    tally.redis.shardEnded(false);
  };

  const shardDone = (shard: ShardJobState): void => {
    const { image } = shard;
    if (image.outcome !== undefined) {
      shardDropped();
      return;
    }
    shardWritten(tally.store, shard, night);
    count(tally.shardAttempts, shard.failures + 1);
    tally.shardsDone += 1;
    tally.redis.shardEnded(true);
    image.openShards -= 1;
    if (image.openShards === 0) lines.addFront(image);
  };

  const endImage = (image: ImageJobState, outcome: "done" | "failed"): void => {
    image.outcome = outcome;
    tally.lastEnd = clock.now;
    if (outcome === "done") tally.outputBytes += resultWritten(tally.store, image, night);
    else {
      failureWritten(tally.store);
      tally.lostPixels += image.keptPixels;
    }
    tally.redis.imageEnded(outcome, image.shards - image.openShards);
    tallySlide(tally, image, clock.now);
    hooks.onSlide?.(image);
  };

  const failed = (job: JobState, code: string): void => {
    const image = job.kind === "shard" ? job.image : job;
    if (job.kind === "shard") {
      if (image.outcome !== undefined) {
        shardDropped();
        return;
      }
      count(tally.shardAttempts, Math.max(1, job.failures));
      tally.shardsFailed += 1;
      tally.redis.shardEnded(false);
    }
    count(tally.failures, code);
    endImage(image, "failed");
  };

  return { addShards, shardDone, shardDropped, imageDone: (image) => endImage(image, "done"), failed };
}

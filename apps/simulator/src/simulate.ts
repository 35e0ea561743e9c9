import { planShards } from "@slidelight/core";
import { retryPolicy } from "@slidelight/contract";
import { openEventQueue } from "./event-queue.ts";
import { openJobLines } from "./job-lines.ts";
import { imageJobState, shardJobState } from "./jobs.ts";
import type { ImageJobState, JobState, ShardJobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import { randomOf } from "./random.ts";
import { progressOf, runOf } from "./run.ts";
import type { Run } from "./run.ts";
import {
  archiveListed,
  checkpointWritten,
  failureWritten,
  planWritten,
  requestsAtStart,
  requestsOfTiles,
  resultWritten,
  shardWritten,
} from "./run-requests.ts";
import { sweepCost } from "./shard-plan.ts";
import { slideOf } from "./slides.ts";
import { count, openTally, tallySlide } from "./tally.ts";
import type { Tally } from "./tally.ts";
import { tilesOf } from "./tiles.ts";
import { openTimeline } from "./timeline.ts";
import { openWorkers } from "./workers.ts";
import type { WorkerState } from "./workers.ts";

type Event =
  | { readonly kind: "arrival"; readonly slide: number }
  | { readonly kind: "start"; readonly worker: WorkerState }
  | { readonly kind: "ready" | "preempted"; readonly worker: WorkerState; readonly life: number }
  | { readonly kind: "end"; readonly worker: WorkerState; readonly run: Run; readonly failure: string | undefined }
  | { readonly kind: "again"; readonly job: JobState }
  | { readonly kind: "unlocked"; readonly job: JobState };

/** What a queue holds at a time. */
export interface NightPoint {
  readonly imagesWaiting: number;
  readonly shardsWaiting: number;
  readonly working: number;
  readonly done: number;
  readonly redisBytes: number;
}

export interface SimulatedNight {
  readonly tally: Tally;
  /** Until the last slide ended. */
  readonly makespan: number;
  readonly timeline: readonly (NightPoint & { readonly seconds: number })[];
}

export interface SimulationHooks {
  /** Called for each round of shards that is added. */
  onShards?(image: ImageJobState, shards: readonly ShardJobState[], pixelsPerSecond: number): void;
  /** Called for each slide, when it has ended. */
  onSlide?(image: ImageJobState): void;
}

const points = 64;
/** What fails for a reason that may pass, and how often each. */
const passingFailures = ["store-unavailable", "store-unavailable", "engine-failed", "output-unwritable"] as const;
const poison = "image-truncated";
const lost = "worker-lost";

/** Plays a night, event by event. Equal nights give equal results. */
export function simulateNight(night: Night, hooks: SimulationHooks = {}): SimulatedNight {
  const { archive, preemption } = night;
  const events = openEventQueue<Event>();
  const lines = openJobLines();
  const workers = openWorkers(night);
  const tally = openTally();
  const timeline = openTimeline<NightPoint>(points);
  const chance = randomOf(night.seed, "chance");
  let now = 0;
  let makespan = 0;

  const arrive = (slide: number): void => {
    tally.redis.imageAdded(1);
    lines.arrive(slide);
  };

  const start = (worker: WorkerState): void => {
    workers.start(worker, now);
    const { life } = worker;
    events.put(now + worker.traits.startup, { kind: "ready", worker, life });
    if (preemption.hourly === 0) return;
    const rate = -Math.log(1 - preemption.hourly) / 3600;
    events.put(now + chance.exponential() / rate, { kind: "preempted", worker, life });
  };

  /** Gives waiting jobs to idle workers. */
  const dispatch = (): void => {
    for (;;) {
      if (lines.images + lines.shards === 0) return;
      const worker = workers.takeIdle();
      if (worker === undefined) return;
      const job = takeJob();
      if (job === undefined) {
        workers.idle(worker);
        return;
      }
      begin(worker, job);
    }
  };

  const takeJob = (): JobState | undefined => {
    for (;;) {
      const taken = lines.take();
      if (taken === undefined) return undefined;
      if (typeof taken === "number") {
        const slide = slideOf(archive, taken);
        const enqueuedAt = (night.arrival * taken) / archive.slides;
        return imageJobState({ slide, enqueuedAt, startedAt: now, tiles: tilesOf(slide, night.reading, night.seed) });
      }
      if (taken.kind === "image" || taken.image.outcome === undefined) return taken;
      drop();
    }
  };

  const begin = (worker: WorkerState, job: JobState): void => {
    const run = runOf(job, { traits: worker.traits, night, now });
    worker.run = run;
    requestsAtStart(tally.store, run);
    const fails = chance.uniform() < night.failureRate;
    const failure = fails ? passingFailures[Math.floor(chance.uniform() * passingFailures.length)] : undefined;
    const seconds = fails ? run.seconds * chance.uniform() : run.seconds;
    events.put(now + seconds, { kind: "end", worker, run, failure });
  };

  /** Counts what a worker did with its job until now. */
  const leave = (worker: WorkerState, run: Run, keep: "all" | "tiles" | "nothing"): void => {
    const { pixelsPerSecond } = worker.traits;
    const progress = progressOf(run, { now, pixelsPerSecond });
    worker.run = undefined;
    tally.busy += now - run.startedAt;
    tally.computing += progress.pixels / pixelsPerSecond;
    tally.pixels += progress.pixels;
    requestsOfTiles(tally.store, run, progress);
    const kept = keep === "all" ? progress.pixels : keep === "tiles" ? progress.tilePixels : 0;
    tally.lostPixels += progress.pixels - kept;
    keepPixels(run.job, kept);
    if (keep === "all" || kept === 0) return;
    run.job.doneTiles += progress.tiles;
    checkpointWritten(tally.store, kept);
  };

  /** What an image that fails has kept is lost after all. */
  const keepPixels = (job: JobState, pixels: number): void => {
    const image = job.kind === "shard" ? job.image : job;
    if (image.outcome === undefined) image.keptPixels += pixels;
    else tally.lostPixels += pixels;
  };

  const succeed = (worker: WorkerState, run: Run): void => {
    leave(worker, run, "all");
    const { job, end } = run;
    if (job.kind === "shard") endShard(job);
    else if (end === "shards-added") addShards(job, worker.traits.pixelsPerSecond);
    else if (end === "poisoned") failFor(job, poison);
    else endImage(job, "done");
  };

  const addShards = (image: ImageJobState, pixelsPerSecond: number): void => {
    const { sweep } = image;
    const cost = sweepCost(image.tiles.pixels, { last: sweep === night.sweeps - 1, pixelsPerSecond });
    const shards = planShards(cost, night.limits).map((interval) => shardJobState(image, sweep, interval));
    hooks.onShards?.(image, shards, pixelsPerSecond);
    planWritten(tally.store);
    image.sweep += 1;
    image.shards += shards.length;
    image.openShards = shards.length;
    tally.shardsAdded += shards.length;
    tally.redis.shardAdded(shards.length);
    for (const shard of shards) lines.add(shard);
  };

  const endShard = (shard: ShardJobState): void => {
    const { image } = shard;
    if (image.outcome !== undefined) {
      drop();
      return;
    }
    shardWritten(tally.store, shard, night);
    count(tally.shardAttempts, shard.failures + 1);
    tally.shardsDone += 1;
    tally.redis.shardEnded(true);
    image.openShards -= 1;
    if (image.openShards === 0) lines.addFront(image);
  };

  const drop = (): void => {
    tally.shardsDropped += 1;
    tally.redis.shardEnded(false);
  };

  const endImage = (image: ImageJobState, outcome: "done" | "failed"): void => {
    image.outcome = outcome;
    makespan = now;
    if (outcome === "done") tally.outputBytes += resultWritten(tally.store, image, night);
    else {
      failureWritten(tally.store);
      tally.lostPixels += image.keptPixels;
    }
    tally.redis.imageEnded(outcome, image.shards - image.openShards);
    tallySlide(tally, image, now);
    hooks.onSlide?.(image);
  };

  /** For good; a shard takes its image with it. */
  const failFor = (job: JobState, code: string): void => {
    const image = job.kind === "shard" ? job.image : job;
    if (job.kind === "shard") {
      if (image.outcome !== undefined) {
        drop();
        return;
      }
      count(tally.shardAttempts, Math.max(1, job.failures));
      tally.shardsFailed += 1;
      tally.redis.shardEnded(false);
    }
    count(tally.failures, code);
    endImage(image, "failed");
  };

  const fail = (worker: WorkerState, run: Run, code: string): void => {
    leave(worker, run, "nothing");
    const { job } = run;
    job.failures += 1;
    if (job.failures >= night.attempts) {
      failFor(job, code);
      return;
    }
    tally.retries += 1;
    events.put(now + backoffSeconds(job.failures, chance.uniform()), { kind: "again", job });
  };

  const preempt = (worker: WorkerState): void => {
    const { run } = worker;
    tally.preempted += 1;
    const silent = chance.uniform() < preemption.killed;
    if (silent) tally.killed += 1;
    if (run !== undefined) {
      leave(worker, run, silent ? "nothing" : "tiles");
      if (silent) {
        // Renewed at half its time, and looked for by others as often as it lasts.
        const remaining = night.lock * (0.5 + 0.5 * chance.uniform());
        events.put(now + remaining + night.lock * chance.uniform(), { kind: "unlocked", job: run.job });
      } else {
        tally.handedBack += 1;
        lines.addFront(run.job);
      }
    }
    tally.alive += workers.lose(worker, now);
    events.put(now + preemption.replacement, { kind: "start", worker });
  };

  const handle = (event: Event): void => {
    if (event.kind === "arrival") {
      arrive(event.slide);
      const next = event.slide + 1;
      if (next < archive.slides) events.put((night.arrival * next) / archive.slides, { kind: "arrival", slide: next });
    } else if (event.kind === "start") start(event.worker);
    else if (event.kind === "again") lines.add(event.job);
    else if (event.kind === "unlocked") {
      tally.stalled += 1;
      event.job.losses += 1;
      if (event.job.losses > night.losses) failFor(event.job, lost);
      else lines.addFront(event.job);
    } else if (event.kind === "end") {
      if (event.worker.run !== event.run) return;
      if (event.failure === undefined) succeed(event.worker, event.run);
      else fail(event.worker, event.run, event.failure);
      workers.idle(event.worker);
    } else if (event.worker.life !== event.life) return;
    else if (event.kind === "ready") workers.idle(event.worker);
    else preempt(event.worker);
  };

  archiveListed(tally.store, archive.slides);
  if (night.arrival > 0) events.put(0, { kind: "arrival", slide: 0 });
  else for (let slide = 0; slide < archive.slides; slide += 1) arrive(slide);
  for (const worker of workers.all) start(worker);
  const isOver = (): boolean =>
    tally.done + tally.failed === archive.slides &&
    tally.shardsDone + tally.shardsFailed + tally.shardsDropped === tally.shardsAdded;
  while (!isOver()) {
    const next = events.next();
    if (next === undefined) throw new RangeError("A night goes on until its last slide and shard have ended.");
    now = next.seconds;
    handle(next.event);
    dispatch();
    timeline.at(now, () => ({
      imagesWaiting: lines.images,
      shardsWaiting: lines.shards,
      working: workers.all.filter(({ run }) => run !== undefined).length,
      done: tally.done,
      redisBytes: tally.redis.bytes,
    }));
  }
  for (const worker of workers.all) tally.alive += workers.lose(worker, now);
  return { tally, makespan, timeline: timeline.points };
}

/** As BullMQ counts it for `retryPolicy`. */
function backoffSeconds(failures: number, chance: number): number {
  const { delay, jitter } = retryPolicy.backoff;
  const most = delay * 2 ** (failures - 1);
  return (most * (1 - jitter) + most * jitter * chance) / 1000;
}

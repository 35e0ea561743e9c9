import { retryPolicy } from "@slidelight/contract";
import { openEventQueue } from "./event-queue.ts";
import { openJobLines } from "./job-lines.ts";
import { imageJobState } from "./jobs.ts";
import type { JobState } from "./jobs.ts";
import type { Night } from "./night.ts";
import { openOutcomes } from "./outcomes.ts";
import type { SimulationHooks } from "./outcomes.ts";
import { randomOf } from "./random.ts";
import { progressOf, runOf } from "./run.ts";
import type { Run } from "./run.ts";
import { archiveListed, checkpointWritten, requestsAtStart, requestsOfTiles } from "./run-requests.ts";
import { slideOf } from "./slides.ts";
import { openTally } from "./tally.ts";
import type { Tally } from "./tally.ts";
import { tilesOf } from "./tiles.ts";
import { openTimeline } from "./timeline.ts";
import { openWorkers } from "./workers.ts";
import type { WorkerState } from "./workers.ts";

/** What there is at a time. */
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

const points = 64;
/** What fails for a reason that may pass, and how often each. */
const passingFailures = ["store-unavailable", "store-unavailable", "engine-failed", "output-unwritable"] as const;
const poison = "image-truncated";
const lost = "worker-lost";

/** Plays a night, event by event. Equal nights give equal results. */
export function simulateNight(night: Night, hooks: SimulationHooks = {}): SimulatedNight {
  const { archive, preemption } = night;
  const clock = { now: 0 };
  const events = openEventQueue<() => void>();
  const after = (seconds: number, happen: () => void): void => events.put(clock.now + seconds, happen);
  const lines = openJobLines();
  const workers = openWorkers(night);
  const tally = openTally();
  const outcomes = openOutcomes(night, { clock, lines, tally, hooks });
  const timeline = openTimeline<NightPoint>(points);
  const chance = randomOf(night.seed, "chance");

  const enqueuedAt = (slide: number): number => (night.arrival * slide) / archive.slides;

  const arrive = (slide: number): void => {
    tally.redis.imageAdded(1);
    lines.arrive(slide);
  };

  const arriveInTurn = (slide: number): void => {
    arrive(slide);
    if (slide + 1 < archive.slides) events.put(enqueuedAt(slide + 1), () => arriveInTurn(slide + 1));
  };

  const start = (worker: WorkerState): void => {
    workers.start(worker, clock.now);
    const { life } = worker;
    // Another machine may have taken its place meanwhile.
    const alive = (happen: () => void) => (): void => {
      if (worker.life === life && worker.since !== undefined) happen();
    };
    after(
      worker.traits.startup,
      alive(() => workers.idle(worker)),
    );
    if (preemption.hourly === 0) return;
    const rate = -Math.log(1 - preemption.hourly) / 3600;
    after(
      chance.exponential() / rate,
      alive(() => preempt(worker)),
    );
  };

  /** Gives waiting jobs to idle workers. */
  const dispatch = (): void => {
    while (lines.images + lines.shards > 0) {
      const worker = workers.takeIdle();
      if (worker === undefined) return;
      const job = takeJob();
      if (job === undefined) workers.idle(worker);
      else begin(worker, job);
    }
  };

  const takeJob = (): JobState | undefined => {
    for (;;) {
      const taken = lines.take();
      if (taken === undefined) return undefined;
      if (typeof taken === "number") {
        const slide = slideOf(archive, taken);
        const tiles = tilesOf(slide, night.reading, night.seed);
        return imageJobState({ slide, enqueuedAt: enqueuedAt(taken), startedAt: clock.now, tiles });
      }
      if (taken.kind === "image" || taken.image.outcome === undefined) return taken;
      outcomes.shardDropped();
    }
  };

  const begin = (worker: WorkerState, job: JobState): void => {
    const run = runOf(job, { traits: worker.traits, night, now: clock.now });
    worker.run = run;
    requestsAtStart(tally.store, run);
    const fails = chance.uniform() < night.failureRate;
    const failure = fails ? passingFailures[Math.floor(chance.uniform() * passingFailures.length)] : undefined;
    after(fails ? run.seconds * chance.uniform() : run.seconds, () => {
      // The worker was lost meanwhile.
      if (worker.run !== run) return;
      if (failure === undefined) succeed(worker, run);
      else fail(worker, run, failure);
      workers.idle(worker);
    });
  };

  /** Counts what a worker did with its job until now. */
  const leave = (worker: WorkerState, run: Run, keep: "all" | "tiles" | "nothing"): void => {
    const { pixelsPerSecond } = worker.traits;
    const progress = progressOf(run, { now: clock.now, pixelsPerSecond });
    worker.run = undefined;
    tally.busy += clock.now - run.startedAt;
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
    if (job.kind === "shard") outcomes.shardDone(job);
    else if (end === "shards-added") outcomes.addShards(job);
    else if (end === "poisoned") outcomes.failed(job, poison);
    else outcomes.imageDone(job);
  };

  const fail = (worker: WorkerState, run: Run, code: string): void => {
    leave(worker, run, "nothing");
    const { job } = run;
    job.failures += 1;
    if (job.failures >= night.attempts) {
      outcomes.failed(job, code);
      return;
    }
    tally.retries += 1;
    after(backoffSeconds(job.failures, chance.uniform()), () => lines.add(job));
  };

  const preempt = (worker: WorkerState): void => {
    const { run } = worker;
    const silent = chance.uniform() < preemption.killed;
    tally.preempted += 1;
    if (silent) tally.killed += 1;
    if (run !== undefined) {
      leave(worker, run, silent ? "nothing" : "tiles");
      if (silent) loseLock(run.job);
      else {
        tally.handedBack += 1;
        lines.addFront(run.job);
      }
    }
    tally.alive += workers.lose(worker, clock.now);
    after(preemption.replacement, () => start(worker));
  };

  const loseLock = (job: JobState): void => {
    // Renewed at half its time, and looked for by others as often as it lasts.
    const remaining = night.lock * (0.5 + 0.5 * chance.uniform());
    after(remaining + night.lock * chance.uniform(), () => {
      tally.stalled += 1;
      job.losses += 1;
      if (job.losses > night.losses) outcomes.failed(job, lost);
      else lines.addFront(job);
    });
  };

  archiveListed(tally.store, archive.slides);
  if (night.arrival > 0) arriveInTurn(0);
  else for (let slide = 0; slide < archive.slides; slide += 1) arrive(slide);
  for (const worker of workers.all) start(worker);
  const isOver = (): boolean =>
    tally.done + tally.failed === archive.slides &&
    tally.shardsDone + tally.shardsFailed + tally.shardsDropped === tally.shardsAdded;
  while (!isOver()) {
    const next = events.next();
    if (next === undefined) throw new RangeError("A night goes on until its last slide and shard have ended.");
    clock.now = next.seconds;
    next.event();
    dispatch();
    timeline.at(clock.now, () => ({
      imagesWaiting: lines.images,
      shardsWaiting: lines.shards,
      working: workers.all.filter(({ run }) => run !== undefined).length,
      done: tally.done,
      redisBytes: tally.redis.bytes,
    }));
  }
  for (const worker of workers.all) tally.alive += workers.lose(worker, clock.now);
  return { tally, makespan: tally.lastEnd, timeline: timeline.points };
}

/** As BullMQ counts it for `retryPolicy`. */
function backoffSeconds(failures: number, chance: number): number {
  const { delay, jitter } = retryPolicy.backoff;
  const most = delay * 2 ** (failures - 1);
  return (most * (1 - jitter) + most * jitter * chance) / 1000;
}

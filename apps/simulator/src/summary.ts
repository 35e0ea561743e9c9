import { queueNames } from "./job-lines.ts";
import type { Night } from "./night.ts";
import type { SimulatedNight } from "./simulate.ts";
import { requestsPaidAs } from "./store-requests.ts";
import type { RequestRow } from "./store-requests.ts";
import type { Histogram } from "./tally.ts";

/** Of many values, those that so many percent do not exceed. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What a simulated night comes to; also what `--json` prints. */
export type Summary = ReturnType<typeof summaryOf>;

export function summaryOf(night: Night, { tally, makespan, timeline }: SimulatedNight) {
  const hours = makespan / 3600;
  const rows = tally.store.rows();
  return {
    schemaVersion: 1,
    simulated: true,
    night: { ...night, queues: queueNames },
    slides: { done: tally.done, failed: tally.failed, failures: Object.fromEntries(tally.failures) },
    makespanSeconds: makespan,
    throughput: { slidesPerHour: tally.done / hours, megapixelsPerSecond: tally.pixels / 1e6 / makespan },
    workers: {
      hours: tally.alive / 3600,
      busyShare: tally.busy / tally.alive,
      computingShare: tally.computing / tally.alive,
      computingSeconds: tally.computing,
      preempted: tally.preempted,
      killed: tally.killed,
    },
    secondsOfSlide: {
      sinceEnqueued: percentilesOf(tally.sinceEnqueued),
      sinceStarted: percentilesOf(tally.sinceStarted),
    },
    shards: {
      added: tally.shardsAdded,
      done: tally.shardsDone,
      failed: tally.shardsFailed,
      dropped: tally.shardsDropped,
      ofSlide: percentilesOfHistogram(tally.shardsOfSlide),
      dividedSlides: tally.done - (tally.shardsOfSlide.get(0) ?? 0),
    },
    work: { megapixels: tally.pixels / 1e6, lostShare: tally.pixels === 0 ? 0 : tally.lostPixels / tally.pixels },
    jobs: {
      retries: tally.retries,
      handedBack: tally.handedBack,
      stalled: tally.stalled,
      attemptsOfImages: asObject(tally.imageAttempts),
      attemptsOfShards: asObject(tally.shardAttempts),
    },
    redis: { peakBytes: tally.redis.peakBytes, endBytes: tally.redis.bytes, timeline },
    store: {
      requests: rows,
      outputBytes: tally.outputBytes,
    },
    costs: costsOf(night, { tally, makespan, timeline }, rows),
  };
}

/** In the currency of the prices. */
function costsOf({ prices, workers }: Night, { tally }: SimulatedNight, rows: readonly RequestRow[]) {
  const count = workers.reduce((sum, group) => sum + group.count, 0);
  const price = workers.reduce((sum, group) => sum + group.class.price * group.count, 0) / count;
  const compute = (tally.alive / 3600) * price;
  const requests = (requestsPaidAs(rows, "write") * prices.put + requestsPaidAs(rows, "read") * prices.get) / 1000;
  const storage = (tally.outputBytes / 1e9) * prices.gbMonth * prices.months;
  const total = compute + requests + storage;
  return { compute, requests, storage, total, aSlide: total / Math.max(1, tally.done) };
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function percentilesOfHistogram(histogram: Histogram): Percentiles {
  const rows = [...histogram].sort(([a], [b]) => a - b);
  const all = rows.reduce((sum, [, count]) => sum + count, 0);
  const at = (share: number): number => {
    let seen = 0;
    return rows.find(([, count]) => (seen += count) >= all * share)?.[0] ?? 0;
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function asObject(histogram: Histogram): Readonly<Record<string, number>> {
  return Object.fromEntries([...histogram].sort(([a], [b]) => a - b));
}

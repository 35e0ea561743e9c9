import type { Percentiles, Summary } from "./summary.ts";

/** A summary as a table for people. */
export function reportOf(summary: Summary): string {
  const { slides, throughput, workers, secondsOfSlide, shards, work, jobs, redis, store, costs } = summary;
  const failures = Object.entries(slides.failures).map(([code, count]) => `${count} ${code}`);
  const rows: readonly (readonly [string, string])[] = [
    ["simulated, seed", String(summary.night.seed)],
    [
      "slides",
      `${whole(slides.done)} done, ${slides.failed} failed${failures.length > 0 ? ` (${failures.join(", ")})` : ""}`,
    ],
    ["makespan", duration(summary.makespanSeconds)],
    ["throughput", `${whole(throughput.slidesPerHour)} slides/h, ${whole(throughput.megapixelsPerSecond)} MP/s`],
    ["work", `${whole(work.megapixels)} MP, ${percent(work.lostShare)} of it for nothing or twice`],
    [
      "workers",
      `${workers.hours.toFixed(1)} h, busy ${percent(workers.busyShare)}, computing tiles ${percent(workers.computingShare)}`,
    ],
    [
      "preempted",
      `${workers.preempted}, ${workers.killed} of them without a signal; ${jobs.handedBack} jobs handed back, ${jobs.stalled} stalled`,
    ],
    ["a slide, since enqueued", percentiles(secondsOfSlide.sinceEnqueued, duration)],
    ["a slide, since taken up", percentiles(secondsOfSlide.sinceStarted, duration)],
    [
      "divided slides",
      `${whole(shards.dividedSlides)}, into ${whole(shards.added)} shards; ${shards.failed} failed, ${shards.dropped} dropped`,
    ],
    ["shards of a slide", percentiles(shards.ofSlide, whole)],
    ["attempts of images", attempts(jobs.attemptsOfImages)],
    ["attempts of shards", attempts(jobs.attemptsOfShards)],
    ["Redis", `${bytes(redis.peakBytes)} at most, ${bytes(redis.endBytes)} at the end`],
    ...store.requests.map((row): [string, string] => [
      row.kind,
      `${whole(row.requests)}${row.bytes > 0 ? `, ${bytes(row.bytes)}` : ""}`,
    ]),
    ["results", bytes(store.outputBytes)],
    [
      "cost",
      `${costs.total.toFixed(2)}: workers ${costs.compute.toFixed(2)}, requests ${costs.requests.toFixed(2)}, storage ${costs.storage.toFixed(2)}`,
    ],
    ["cost of a slide", costs.aSlide.toFixed(5)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join("");
}

function percentiles({ p50, p90, p99, max }: Percentiles, tell: (value: number) => string): string {
  return `half ${tell(p50)}, 90 % ${tell(p90)}, 99 % ${tell(p99)}, all ${tell(max)}`;
}

function attempts(histogram: Readonly<Record<string, number>>): string {
  const rows = Object.entries(histogram).map(([tries, count]) => `${whole(count)} x ${tries}`);
  return rows.length === 0 ? "none" : rows.join(", ");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(2)} h`;
}

function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

import { retryPolicy } from "@slidelight/contract";
import type { OptionTable } from "@slidelight/contract";
import { shardLimits } from "@slidelight/core";
import { classNames } from "./worker-classes.ts";

const row = (flag: string, text: string) => ({ flag, text });

/** Everything that a simulation can be told; defaults in brackets. */
export const simulateOptions = {
  slides: row("--slides <n>", "slides of the archive (100000)"),
  workers: row("--workers <n|class:n,…>", `how many, of the classes ${classNames.join(", ")} (500, gpu)`),
  seed: row("--seed <n>", "everything follows from it (1)"),
  json: row("--json", "print one JSON document on standard output"),

  size: row("--size <WxH>", "median of large specimens, in pixels (60000x40000)"),
  spread: row("--spread <x>", "standard deviation of a side's logarithm (0.35)"),
  biopsies: row("--biopsies <share>", "slides of 0.45 times that side (0.3)"),
  small: row("--small <share>", "images of about 3000 pixels a side (0.05)"),
  tissue: row("--tissue <least-most>", "share of a slide's tiles that holds tissue (0.15-0.4)"),
  poisoned: row("--poisoned <share>", "slides that can't be read (0.001)"),
  arrival: row("--arrival <hours>", "over which slides are enqueued; 0: all at the start (0)"),

  speed: row("--speed <MP/s>", "of a worker, in pixels of tile cores (gpu 60, cpu 2)"),
  speedSpread: row("--speed-spread <x>", "standard deviation of its logarithm (gpu 0.1, cpu 0.15)"),
  startup: row("--startup <seconds>", "from a machine's start to its first job (gpu 90, cpu 20)"),
  gap: row("--gap <seconds>", "of a job, in which the engine waits (gpu 0.5, cpu 0.8)"),
  assembly: row("--assembly <seconds/MP>", "writing a map after its last tile (gpu 0.008, cpu 0.054)"),
  planning: row("--planning <seconds>", "opening an image and choosing its tiles (1.5)"),
  commit: row("--commit <seconds>", "of an image, beside its assembly (0.5)"),

  sweeps: row("--sweeps <n>", "visits to every tile (1)"),
  tile: row("--tile <px>", "longest side of a tile's core (2048)"),
  halo: row("--halo <px>", "what is read around it (96)"),
  imageBytes: row("--image-bytes <x>", "of a compressed slide, for each pixel (0.3)"),
  mapBytes: row("--map-bytes <x>", "of a result, for each computed pixel (0.6)"),
  shardSeconds: row("--shard-seconds <s>", `what one shard should take (${shardLimits.seconds})`),
  shardBytes: row("--shard-bytes <n>", `what one shard may keep (${shardLimits.bytes})`),
  shardCount: row("--shard-count <n>", `shards of a sweep, at most (${shardLimits.count})`),

  failureRate: row("--failure-rate <share>", "attempts of a job that fail for a passing reason (0.001)"),
  attempts: row("--attempts <n>", `of a job (${retryPolicy.attempts})`),
  preemption: row("--preemption <share>", "workers that are lost in an hour (0)"),
  killed: row("--killed <share>", "of these, without a signal (0.2)"),
  replacement: row("--replacement <seconds>", "until another machine starts instead (60)"),
  lock: row("--lock <seconds>", "after which a job of a killed worker is free (30)"),
  losses: row("--losses <n>", "workers that may be lost with a job before it has failed (10)"),

  priceWorkerHour: row("--price-worker-hour <x>", "(gpu 2, cpu 0.1)"),
  pricePut: row("--price-put <x>", "of 1,000 requests that write or list (0.005)"),
  priceGet: row("--price-get <x>", "of 1,000 requests that read (0.0004)"),
  priceGbMonth: row("--price-gb-month <x>", "of a GB of results for a month (0.023)"),
  months: row("--months <n>", "that results are kept (1)"),
} as const satisfies OptionTable;

import { flag, gatherOptions, parseOptions, retryPolicy } from "@slidelight/contract";
import type { Environment } from "@slidelight/contract";
import { shardLimits } from "@slidelight/core";
import { z } from "zod";
import type { Night } from "./night.ts";
import { simulateOptions } from "./simulate-options.ts";
import { classNames, workerClasses } from "./worker-classes.ts";
import type { ClassName, WorkerClass } from "./worker-classes.ts";

const integer = (least: number, most: number) => {
  const expected = `expected an integer from ${least} to ${most}`;
  return z.coerce.number(expected).int(expected).min(least, expected).max(most, expected);
};
const number = (least: number, most: number) => {
  const expected = `expected a number from ${least} to ${most}`;
  return z.coerce.number(expected).min(least, expected).max(most, expected);
};
const share = number(0, 1);

const between =
  (separator: string) =>
  (text: unknown): unknown =>
    String(text).split(separator);

const sizeText = "expected two numbers of pixels from 256 to 250000, such as 60000x40000";
const side = z.coerce.number(sizeText).int(sizeText).min(256, sizeText).max(250_000, sizeText);
const size = z
  .preprocess(between("x"), z.tuple([side, side], sizeText))
  .transform(([width, height]) => ({ width, height }));

// Above, the ellipse that tissue is drawn as would reach over the slide's edge.
const mostTissue = 0.75;
const tissueText = `expected two shares from 0.001 to ${mostTissue}, such as 0.15-0.4`;
const tissueShare = z.coerce.number(tissueText).min(0.001, tissueText).max(mostTissue, tissueText);
const tissue = z
  .preprocess(between("-"), z.tuple([tissueShare, tissueShare], tissueText))
  .refine(([least, most]) => least <= most, tissueText);

const workersText = `expected a number of workers from 1 to 100000, or class:number between commas with the classes ${classNames.join(", ")}`;
const workerCount = z.coerce.number(workersText).int(workersText).min(1, workersText).max(100_000, workersText);
const workers = z.preprocess(
  (text: unknown) => (/^\d+$/u.test(String(text)) ? `gpu:${String(text)}` : String(text)).split(",").map(between(":")),
  z.array(z.tuple([z.enum(classNames, workersText), workerCount], workersText)),
);

const schema = z
  .object({
    slides: integer(1, 10_000_000).default(100_000),
    workers: workers.default([["gpu", 500]]),
    seed: integer(0, 2 ** 32 - 1).default(1),
    json: flag,
    size: size.default({ width: 60_000, height: 40_000 }),
    spread: number(0, 2).default(0.35),
    biopsies: share.default(0.3),
    small: share.default(0.05),
    tissue: tissue.default([0.15, 0.4]),
    poisoned: share.default(0.001),
    arrival: number(0, 8760).default(0),
    speed: number(0.001, 1e6).exactOptional(),
    speedSpread: number(0, 2).exactOptional(),
    startup: number(0, 3600).exactOptional(),
    gap: number(0, 3600).exactOptional(),
    assembly: number(0, 60).exactOptional(),
    planning: number(0, 3600).default(1.5),
    commit: number(0, 3600).default(0.5),
    sweeps: integer(1, 10).default(1),
    tile: integer(128, 65_536).default(2048),
    halo: integer(0, 4096).default(96),
    imageBytes: number(0, 100).default(0.3),
    mapBytes: number(0, 100).default(0.6),
    shardSeconds: number(0.001, 1e6).default(shardLimits.seconds),
    shardBytes: integer(1, 2 ** 40).default(shardLimits.bytes),
    shardCount: integer(1, 1_000_000).default(shardLimits.count),
    failureRate: share.default(0.001),
    attempts: integer(1, 100).default(retryPolicy.attempts),
    preemption: number(0, 0.99).default(0),
    killed: share.default(0.2),
    replacement: number(0, 86_400).default(60),
    lock: number(1, 3600).default(30),
    losses: integer(0, 1000).default(10),
    priceWorkerHour: number(0, 1e6).exactOptional(),
    pricePut: number(0, 1e6).default(0.005),
    priceGet: number(0, 1e6).default(0.0004),
    priceGbMonth: number(0, 1e6).default(0.023),
    months: number(0, 1200).default(1),
  })
  .refine(({ biopsies, small }) => biopsies + small <= 1, {
    message: "expected at most 1 together with --small",
    path: ["biopsies"],
  });

export interface SimulateConfig {
  readonly json: boolean;
  readonly night: Night;
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadSimulateConfig(environment: Environment, flags: Readonly<Record<string, unknown>>): SimulateConfig {
  const values = gatherOptions(simulateOptions, { flags, environment });
  const given = parseOptions(schema, values, { table: simulateOptions, command: "simulate" });
  const { json, seed, sweeps, planning, commit, failureRate, attempts, lock, losses } = given;
  const { slides, size, spread, biopsies, small, tissue, poisoned } = given;
  return {
    json,
    night: {
      archive: { slides, size, spread, biopsies, small, tissue, poisoned, seed },
      reading: { tile: given.tile, halo: given.halo, bytesPerPixel: given.imageBytes },
      workers: given.workers.map(([name, count]) => ({ class: classOf(name, given), count })),
      limits: { seconds: given.shardSeconds, bytes: given.shardBytes, count: given.shardCount },
      sweeps,
      planning,
      commit,
      failureRate,
      attempts,
      lock,
      losses,
      arrival: given.arrival * 3600,
      mapBytesPerPixel: given.mapBytes,
      preemption: { hourly: given.preemption, killed: given.killed, replacement: given.replacement },
      prices: { put: given.pricePut, get: given.priceGet, gbMonth: given.priceGbMonth, months: given.months },
      seed,
    },
  };
}

/** The class, but for what was said of all workers. */
function classOf(name: ClassName, given: z.output<typeof schema>): WorkerClass {
  const own = workerClasses[name];
  return {
    speed: given.speed ?? own.speed,
    speedSpread: given.speedSpread ?? own.speedSpread,
    startup: given.startup ?? own.startup,
    gap: given.gap ?? own.gap,
    assembly: given.assembly ?? own.assembly,
    price: given.priceWorkerHour ?? own.price,
  };
}

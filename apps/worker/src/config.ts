import {
  byteCount,
  explanationOptions,
  flag,
  gatherOptions,
  parseOptions,
  pick,
  queueOptions,
  queueSchema,
  settingsKeys,
  settingsSchema,
  storageKeys,
  storageOptions,
  storageSchema,
} from "@slidelight/contract";
import type { Environment, OptionTable } from "@slidelight/contract";
import { z } from "zod";
import { engineKeys, engineOptions, engineSchema } from "./engine-options.ts";

const outputOptions = {
  json: { flag: "--json", text: "print one JSON document on standard output" },
  quiet: { flag: "--quiet", text: "print failures only" },
} as const satisfies OptionTable;

export const explainOptions = { ...explanationOptions, ...engineOptions, ...outputOptions, ...storageOptions };

const workerOnlyOptions = {
  port: { flag: "--port <n>", text: "of /healthz, /readyz and /metrics; 0 for a free one (9090)" },
  concurrency: {
    flag: "--concurrency <n>",
    text: "images at a time: one computes while another is opened or written (2)",
  },
  shardSeconds: { flag: "--shard-seconds <n>", text: "what one shard of a large image should take (120)" },
  lockSeconds: {
    flag: "--lock-seconds <n>",
    text: "after which a worker that says nothing has lost its job to others (30)",
  },
  minFree: { flag: "--min-free <bytes>", text: "free space of the scratch disk below which no jobs are taken (1GiB)" },
  untilIdle: {
    flag: "--until-idle <seconds>",
    text: "end, with status 0, when for so long nothing has waited, run or been delayed, here or elsewhere (never)",
  },
  logLevel: { flag: "--log-level <level>", text: "debug, info, warn or error (info)" },
} as const satisfies OptionTable;

export const workerOptions = { ...queueOptions, ...engineOptions, ...workerOnlyOptions, ...storageOptions };

export const enginesOptions = {
  json: outputOptions.json,
  measure: { flag: "--measure", text: "measure how fast each computes, in megapixels a second of a small U-Net" },
  threads: engineOptions.threads,
  device: engineOptions.device,
  openvino: engineOptions.openvino,
} as const satisfies OptionTable;

export const inspectOptions = { json: outputOptions.json, ...storageOptions };

const port = "expected a port: an integer from 0 to 65535";
const concurrency = "expected an integer from 1 to 64";
const shardSeconds = "expected a number of seconds above 0, at most 3600";
const lockSeconds = "expected a number of seconds from 1 to 3600";
const untilIdle = "expected a number of seconds from 1 to 86400";

const parts = {
  settings: settingsSchema,
  engine: engineSchema,
  storage: storageSchema,
  output: z.object({ json: flag, quiet: flag }),
  queue: queueSchema,
};

const model = z.string("expected the classifier: a path or s3://bucket/key").min(1);
const out = z.string("expected a folder or s3://bucket/prefix").min(1);

/** Everything that this app can be told. */
const schema = {
  explain: z.object({
    model,
    out,
    settings: parts.settings,
    engine: parts.engine,
    storage: parts.storage,
    output: parts.output,
  }),
  worker: z.object({
    queue: parts.queue,
    engine: parts.engine,
    storage: parts.storage,
    port: z.coerce.number(port).int(port).min(0, port).max(65_535, port).default(9090),
    concurrency: z.coerce.number(concurrency).int(concurrency).min(1, concurrency).max(64, concurrency).default(2),
    shardSeconds: z.coerce.number(shardSeconds).positive(shardSeconds).max(3600, shardSeconds).default(120),
    lockSeconds: z.coerce.number(lockSeconds).min(1, lockSeconds).max(3600, lockSeconds).default(30),
    minFree: byteCount.default(2 ** 30),
    untilIdle: z.coerce.number(untilIdle).min(1, untilIdle).max(86_400, untilIdle).exactOptional(),
    logLevel: z.enum(["debug", "info", "warn", "error"], "expected debug, info, warn or error").default("info"),
  }),
  engines: engineSchema.pick({ threads: true, device: true, openvino: true }).extend({ json: flag, measure: flag }),
  inspect: z.object({ storage: parts.storage, json: flag }),
};

export type ExplainConfig = z.output<typeof schema.explain>;
export type WorkerConfig = z.output<typeof schema.worker>;
export type EnginesConfig = z.output<typeof schema.engines>;
export type InspectConfig = z.output<typeof schema.inspect>;

type Flags = Readonly<Record<string, unknown>>;

/** @throws {SlidelightError} `usage` with all faults. */
export function loadExplainConfig(environment: Environment, flags: Flags): ExplainConfig {
  const values = gatherOptions(explainOptions, { flags, environment });
  const groups = {
    ...values,
    settings: pick(values, settingsKeys),
    engine: pick(values, engineKeys),
    storage: pick(values, storageKeys),
    output: pick(values, ["json", "quiet"]),
  };
  return parseOptions(schema.explain, groups, { table: explainOptions, command: "explain" });
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadWorkerConfig(environment: Environment, flags: Flags): WorkerConfig {
  const values = gatherOptions(workerOptions, { flags, environment });
  const groups = {
    ...values,
    queue: pick(values, ["redis", "queue"]),
    engine: pick(values, engineKeys),
    storage: pick(values, storageKeys),
  };
  return parseOptions(schema.worker, groups, { table: workerOptions, command: "worker" });
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadInspectConfig(environment: Environment, flags: Flags): InspectConfig {
  const values = gatherOptions(inspectOptions, { flags, environment });
  const groups = { ...values, storage: pick(values, storageKeys) };
  return parseOptions(schema.inspect, groups, { table: inspectOptions, command: "inspect" });
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadEnginesConfig(environment: Environment, flags: Flags): EnginesConfig {
  const values = gatherOptions(enginesOptions, { flags, environment });
  return parseOptions(schema.engines, values, { table: enginesOptions, command: "engines" });
}

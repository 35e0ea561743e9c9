import {
  explanationOptions,
  gatherOptions,
  imageExtensions,
  parseOptions,
  queueOptions,
  queueSchema,
  retryPolicy,
  settingsKeys,
  settingsSchema,
  storageKeys,
  storageOptions,
  storageSchema,
} from "@slidelight/contract";
import type { Environment, OptionTable } from "@slidelight/contract";
import { z } from "zod";

const jobOptions = {
  attempts: { flag: "--attempts <n>", text: "tries of an image when its failure may pass (5)" },
  extensions: { flag: "--extensions <list>", text: `of the images under a prefix (${imageExtensions.join(",")})` },
} as const satisfies OptionTable;

const json = { flag: "--json", text: "print one JSON document on standard output" } as const;
const quiet = { flag: "--quiet", text: "print failures only" } as const;
const untilEmpty = { flag: "--until-empty", text: "end when nothing waits or runs" } as const;

export const enqueueOptions = { ...explanationOptions, ...queueOptions, ...jobOptions, json, quiet, ...storageOptions };
export const statusOptions = { ...queueOptions, json };
export const watchOptions = { ...queueOptions, untilEmpty };

const flag = z.stringbool().or(z.boolean()).default(false);
const attempts = "expected an integer from 1 to 100";

/** Everything that this app can be told. */
const schema = {
  enqueue: z.object({
    model: z.string("expected the classifier: a path or s3://bucket/key").min(1),
    out: z.string("expected a folder or s3://bucket/prefix").min(1),
    settings: settingsSchema,
    queue: queueSchema,
    storage: storageSchema,
    attempts: z.coerce.number(attempts).int(attempts).min(1, attempts).max(100, attempts).default(retryPolicy.attempts),
    extensions: z
      .string()
      .transform((text) => text.split(",").map((extension) => extension.trim().replace(/^\./u, "").toLowerCase()))
      .pipe(z.array(z.string().min(1, "expected extensions between commas, such as png,svs")))
      .default([...imageExtensions]),
    json: flag,
    quiet: flag,
  }),
  status: z.object({ queue: queueSchema, json: flag }),
  watch: z.object({ queue: queueSchema, untilEmpty: flag }),
};

export type EnqueueConfig = z.output<typeof schema.enqueue>;
export type StatusConfig = z.output<typeof schema.status>;
export type WatchConfig = z.output<typeof schema.watch>;

type Flags = Readonly<Record<string, unknown>>;

/** @throws {SlidelightError} `usage` with all faults. */
export function loadEnqueueConfig(environment: Environment, flags: Flags): EnqueueConfig {
  const values = gatherOptions(enqueueOptions, { flags, environment });
  const groups = {
    ...values,
    settings: pick(values, settingsKeys),
    queue: pick(values, ["redis", "queue"]),
    storage: pick(values, storageKeys),
  };
  return parseOptions(schema.enqueue, groups, { table: enqueueOptions, command: "enqueue" });
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadStatusConfig(environment: Environment, flags: Flags): StatusConfig {
  const values = gatherOptions(statusOptions, { flags, environment });
  const groups = { ...values, queue: pick(values, ["redis", "queue"]) };
  return parseOptions(schema.status, groups, { table: statusOptions, command: "status" });
}

/** @throws {SlidelightError} `usage` with all faults. */
export function loadWatchConfig(environment: Environment, flags: Flags): WatchConfig {
  const values = gatherOptions(watchOptions, { flags, environment });
  const groups = { ...values, queue: pick(values, ["redis", "queue"]) };
  return parseOptions(schema.watch, groups, { table: watchOptions, command: "watch" });
}

function pick(values: Flags, keys: readonly string[]): Flags {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(values, key)).map((key) => [key, values[key]]));
}

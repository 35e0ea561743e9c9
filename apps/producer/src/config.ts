import {
  explanationOptions,
  failureCodes,
  flag,
  gatherOptions,
  imageExtensions,
  list,
  parseOptions,
  pick,
  priorityNames,
  queueOptions,
  queueSchema,
  retryPolicy,
  settingsKeys,
  settingsSchema,
  storageKeys,
  storageOptions,
  storageSchema,
} from "@slidelight/contract";
import type { Environment, ImageRequest, OptionTable } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core/request";
import { z } from "zod";
import { cronFault, timeZoneFault } from "./cron.ts";

const jobOptions = {
  attempts: { flag: "--attempts <n>", text: `tries of an image when its failure may pass (${retryPolicy.attempts})` },
  extensions: { flag: "--extensions <list>", text: `of the images under a prefix (${imageExtensions.join(",")})` },
  priority: {
    flag: "--priority <name>",
    text: "high: before all that waits; normal: in turn; low: when nothing else waits (normal)",
  },
} as const satisfies OptionTable;

const json = { flag: "--json", text: "print one JSON document on standard output" } as const;
const quiet = { flag: "--quiet", text: "print failures only" } as const;
const redis = { redis: queueOptions.redis } as const;

const enqueueOnlyOptions = {
  newOnly: { flag: "--new-only", text: "leave out images whose results are all in --out already" },
  json,
  quiet,
} as const satisfies OptionTable;

const requestOptions = { ...explanationOptions, ...queueOptions, ...jobOptions, ...storageOptions };

export const enqueueOptions = { ...requestOptions, ...enqueueOnlyOptions };

export const scheduleOptions = {
  cron: { flag: "--cron <fields>", text: 'when: minute hour day-of-month month day-of-week, such as "0 1 * * *"' },
  tz: { flag: "--tz <zone>", text: "the time zone of --cron, such as Europe/Rome (UTC)" },
  ...requestOptions,
} as const satisfies OptionTable;

export const schedulesOptions = {
  ...redis,
  json,
  restore: { flag: "--restore <file>", text: "make the schedules of a list that --json has printed, then list all" },
} as const satisfies OptionTable;
export const unscheduleOptions = redis;

export const plannerOptions = {
  ...redis,
  port: { flag: "--port <n>", text: "of /healthz, /readyz and /metrics; 0 for a free one (9091)" },
  lockSeconds: {
    flag: "--lock-seconds <n>",
    text: "after which a planner that says nothing has lost its plans to others (15)",
  },
  logLevel: { flag: "--log-level <level>", text: "debug, info, warn or error (info)" },
  ...storageOptions,
} as const satisfies OptionTable;

export const statusOptions = { ...queueOptions, json };

export const pauseOptions = queueOptions;

export const watchOptions = {
  ...queueOptions,
  untilEmpty: { flag: "--until-empty", text: "end when nothing waits or runs" },
} as const satisfies OptionTable;

export const retryOptions = {
  ...queueOptions,
  failed: { flag: "--failed", text: "put back what has failed; there is nothing else to retry" },
  code: { flag: "--code <codes>", text: "only what failed with one of these codes (all)", many: true },
  json,
} as const satisfies OptionTable;

export const cancelOptions = { ...queueOptions, json, ...storageOptions };

export const reportOptions = {
  ...queueOptions,
  out: {
    flag: "--out <folder>",
    text: "where the results are: tells of all that lies there, not of the queue's memory",
  },
  json,
  csv: { flag: "--csv", text: "print a line for each image and run" },
  html: { flag: "--html <file>", text: "write one page with a table that can be filtered" },
  ...storageOptions,
} as const satisfies OptionTable;

const attempts = "expected an integer from 1 to 100";
const port = "expected a port: an integer from 0 to 65535";
const codes: readonly string[] = failureCodes;
const code = z.string().refine((text) => codes.includes(text), {
  error: ({ input }) => `"${String(input)}" is no code of a failure; there are ${codes.join(", ")}`,
});

const redisOnly = queueSchema.pick({ redis: true });

const request = {
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
  priority: z.enum(priorityNames, `expected ${priorityNames.join(", ")}`).default("normal"),
};

const faultless = (faultOf: (text: string) => string | undefined, missing: string) =>
  z.string(missing).superRefine((text, context) => {
    const message = faultOf(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

const lockSeconds = "expected a number of seconds from 1 to 3600";

/** Everything that this app can be told. */
const schema = {
  enqueue: z.object({ ...request, newOnly: flag, json: flag, quiet: flag }),
  schedule: z.object({
    ...request,
    cron: faultless(cronFault, 'expected when to run, such as "0 1 * * *" for every day at 01:00'),
    tz: faultless(timeZoneFault, "expected the name of a time zone").default("UTC"),
  }),
  schedules: z.object({
    queue: redisOnly,
    json: flag,
    restore: z.string().min(1, "expected a file that schedules --json has written").exactOptional(),
  }),
  unschedule: z.object({ queue: redisOnly }),
  planner: z.object({
    queue: redisOnly,
    storage: storageSchema,
    port: z.coerce.number(port).int(port).min(0, port).max(65_535, port).default(9091),
    lockSeconds: z.coerce.number(lockSeconds).min(1, lockSeconds).max(3600, lockSeconds).default(15),
    logLevel: z.enum(["debug", "info", "warn", "error"], "expected debug, info, warn or error").default("info"),
  }),
  status: z.object({ queue: queueSchema, json: flag }),
  pause: z.object({ queue: queueSchema }),
  watch: z.object({ queue: queueSchema, untilEmpty: flag }),
  retry: z.object({
    queue: queueSchema,
    failed: z.literal(true, "expected --failed: only what has failed can be retried"),
    code: z.preprocess(list, z.array(code)).exactOptional(),
    json: flag,
  }),
  cancel: z.object({ queue: queueSchema, storage: storageSchema, json: flag }),
  report: z
    .object({
      queue: queueSchema,
      storage: storageSchema,
      out: z.string().min(1, "expected a folder or s3://bucket/prefix").exactOptional(),
      json: flag,
      csv: flag,
      html: z.string().min(1, "expected the file to write").exactOptional(),
    })
    .refine(({ json: asJson, csv, html }) => Number(asJson) + Number(csv) + Number(html !== undefined) <= 1, {
      message: "give one of --json, --csv and --html",
      path: ["json"],
    }),
};

export type EnqueueConfig = z.output<typeof schema.enqueue>;
export type ScheduleConfig = z.output<typeof schema.schedule>;
export type PlannerConfig = z.output<typeof schema.planner>;
export type WatchConfig = z.output<typeof schema.watch>;
export type RetryConfig = z.output<typeof schema.retry>;
export type ReportConfig = z.output<typeof schema.report>;

type Flags = Readonly<Record<string, unknown>>;

/** Reads a command's options. @throws {SlidelightError} `usage` with all faults. */
const loading =
  <S extends z.ZodType>(command: string, { shape, table }: { readonly shape: S; readonly table: OptionTable }) =>
  (environment: Environment, flags: Flags): z.output<S> => {
    const values = gatherOptions(table, { flags, environment });
    const groups = {
      ...values,
      settings: pick(values, settingsKeys),
      queue: pick(values, ["redis", "queue"]),
      storage: pick(values, storageKeys),
    };
    return parseOptions(shape, groups, { table, command });
  };

export const loadEnqueueConfig = loading("enqueue", { shape: schema.enqueue, table: enqueueOptions });
export const loadScheduleConfig = loading("schedule", { shape: schema.schedule, table: scheduleOptions });
export const loadSchedulesConfig = loading("schedules", { shape: schema.schedules, table: schedulesOptions });
export const loadUnscheduleConfig = loading("unschedule", { shape: schema.unschedule, table: unscheduleOptions });
export const loadPlannerConfig = loading("planner", { shape: schema.planner, table: plannerOptions });
export const loadStatusConfig = loading("status", { shape: schema.status, table: statusOptions });
export const loadPauseConfig = loading("pause", { shape: schema.pause, table: pauseOptions });
export const loadWatchConfig = loading("watch", { shape: schema.watch, table: watchOptions });
export const loadRetryConfig = loading("retry", { shape: schema.retry, table: retryOptions });
export const loadCancelConfig = loading("cancel", { shape: schema.cancel, table: cancelOptions });
export const loadReportConfig = loading("report", { shape: schema.report, table: reportOptions });

/** What `enqueue` and a schedule are told, for whoever does it, wherever that is. */
export function imageRequest(
  sources: readonly string[],
  { config, folder }: { readonly config: EnqueueConfig | ScheduleConfig; readonly folder: string },
): ImageRequest {
  const { model, out, settings, queue, attempts: tries, extensions, priority } = config;
  const [first, ...rest] = sources;
  if (first === undefined) throw new SlidelightError("usage", "Adding images: expected a source, got none.");
  return {
    folder,
    sources: [first, ...rest],
    model,
    out,
    settings,
    attempts: tries,
    extensions,
    priority,
    ...(queue.queue === undefined ? {} : { queue: queue.queue }),
  };
}

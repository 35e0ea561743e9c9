import { isDeepStrictEqual } from "node:util";
import { addOptions, planJobPayload, retryPolicy, storageSettings } from "@slidelight/contract";
import type { CommandContext, ImageRequest } from "@slidelight/contract";
import { parseLocation, SlidelightError } from "@slidelight/core/request";
import type { JobSchedulerJson } from "bullmq";
import type { Command } from "commander";
import { checkedModel } from "./add-images.ts";
import {
  imageRequest,
  loadScheduleConfig,
  loadUnscheduleConfig,
  scheduleOptions,
  unscheduleOptions,
} from "./config.ts";
import type { ScheduleConfig } from "./config.ts";
import { describeTime, nextTimes } from "./cron.ts";
import { absolute } from "./look-up.ts";
import { openPlans } from "./open-queue.ts";
import type { Plans } from "./open-queue.ts";
import { forgetRecord, recordCreation } from "./plan-outcome.ts";

/** Times that are told. */
const shownTimes = 5;
/** Plans that are done or failed and still shown by tools for queues. */
const keptPlans = { count: 100 } as const;

export function defineSchedule(program: Command, context: CommandContext): void {
  const command = program
    .command("schedule")
    .description(
      "Add what is new or changed at certain times: slidelight schedule nightly s3://slides/ --cron '0 1 * * *' --tz Europe/Rome --model … --out …. A planner must run then. The same name again changes the schedule.",
    )
    .argument("<name>")
    .argument("<source...>");
  addOptions(command, scheduleOptions).action(
    async (name: string, sources: readonly string[], flags: Readonly<Record<string, unknown>>) => {
      await schedule({ name, sources }, { config: loadScheduleConfig(context.environment, flags), context });
    },
  );
}

async function schedule(
  { name, sources }: { readonly name: string; readonly sources: readonly string[] },
  { config, context }: { readonly config: ScheduleConfig; readonly context: CommandContext },
): Promise<void> {
  checkName(name);
  const { folder, signal } = context;
  const asked = imageRequest(
    sources.map((source) => checkedSource(source, folder)),
    { config, folder },
  );
  const images = { ...asked, model: absolute(config.model, folder), out: absolute(config.out, folder) };
  // What is wrong is told now, and not only at night.
  await checkedModel(images, { storage: storageSettings(config.storage), signal });
  const { cron, tz } = config;
  const times = nextTimes(config, { count: shownTimes, after: new Date() });
  await using plans = await openPlans(config.queue.redis);
  const outcome = await putSchedule(plans, { name, cron, tz, images });
  const lines = [
    `✓ ${name} ${outcome}: ${cron} in ${tz}, while a planner runs (slidelight planner). The next times:`,
    ...times.map((time) => `  ${describeTime(time, tz)}`),
  ];
  context.stdout.write(`${lines.join("\n")}\n`);
}

/** What a schedule is made of. */
export interface ScheduleEntry {
  readonly name: string;
  readonly cron: string;
  readonly tz: string;
  readonly images: ImageRequest;
}

/** Makes a schedule, or changes the one of this name. @throws {SlidelightError} `queue-unavailable`. */
export function putSchedule(
  { plans, redis, ask }: Plans,
  { name, cron, tz, images }: ScheduleEntry,
): Promise<"scheduled" | "changed" | "unchanged"> {
  const wanted = {
    name: "plan",
    data: planJobPayload({ schedule: name, images }),
    opts: {
      attempts: retryPolicy.attempts,
      backoff: retryPolicy.backoff,
      removeOnComplete: keptPlans,
      removeOnFail: keptPlans,
    },
  };
  return ask(`Scheduling ${name}`, async () => {
    const before = await plans.getJobScheduler(name);
    // Storing it anew would drop a run that is due and waits for a planner.
    if (before !== undefined && isSame(before, { cron, tz, template: wanted })) return "unchanged";
    await recordCreation(redis, name);
    await plans.upsertJobScheduler(name, { pattern: cron, tz }, wanted);
    return before === undefined ? "scheduled" : "changed";
  });
}

interface Wanted {
  readonly cron: string;
  readonly tz: string;
  readonly template: { readonly data: object; readonly opts: object };
}

function isSame(before: JobSchedulerJson, { cron, tz, template }: Wanted): boolean {
  const asStored = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? {}));
  return (
    before.pattern === cron &&
    before.tz === tz &&
    isDeepStrictEqual(asStored(before.template?.data), asStored(template.data)) &&
    isDeepStrictEqual(asStored(before.template?.opts), asStored(template.opts))
  );
}

export function defineUnschedule(program: Command, context: CommandContext): void {
  const command = program
    .command("unschedule")
    .description("End a schedule. What it has added stays in the queue.")
    .argument("<name>");
  addOptions(command, unscheduleOptions).action(async (name: string, flags: Readonly<Record<string, unknown>>) => {
    const config = loadUnscheduleConfig(context.environment, flags);
    checkName(name);
    await using plans = await openPlans(config.queue.redis);
    const removed = await plans.ask(`Ending the schedule ${name}`, async () => {
      await forgetRecord(plans.redis, name);
      return plans.plans.removeJobScheduler(name);
    });
    if (!removed) {
      throw new SlidelightError(
        "usage",
        `Ending the schedule ${name} failed: there is no such schedule. slidelight schedules lists them.`,
      );
    }
    context.stdout.write(`✓ ${name} ended: what it has added stays in the queue, a run that has begun goes on\n`);
  });
}

/** Names are parts of keys in Redis and labels of metrics. */
export const scheduleNamePattern = /^[A-Za-z][\w-]{0,63}$/u;

function checkName(name: string): void {
  if (scheduleNamePattern.test(name)) return;
  throw new SlidelightError(
    "usage",
    `The schedule's name "${name}" can't be used: expected a letter, then letters, digits, - and _, 64 at most.`,
  );
}

/** A schedule's sources do not depend on where its planner runs, and are there every night. */
function checkedSource(source: string, folder: string): string {
  if (source.trim() === "") {
    throw new SlidelightError(
      "usage",
      "A source is empty: expected a folder, s3://bucket/prefix/ or a list of images.",
    );
  }
  if (source === "-") {
    throw new SlidelightError(
      "usage",
      "A schedule can't read standard input, which is gone when it runs: write the list to a file.",
    );
  }
  const { kind } = parseLocation(source);
  if (kind === "s3") return source;
  // A slash at the end says that it is a folder.
  return source.endsWith("/") ? `${absolute(source, folder)}/` : absolute(source, folder);
}

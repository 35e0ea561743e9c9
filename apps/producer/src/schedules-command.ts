import { resolve } from "node:path";
import { addOptions, parsePlanJob } from "@slidelight/contract";
import type { CommandContext, ImageRequest } from "@slidelight/contract";
import type { Command } from "commander";
import { loadSchedulesConfig, schedulesOptions } from "./config.ts";
import { describeTime } from "./cron.ts";
import { describeAdded } from "./enqueue-command.ts";
import { openPlans } from "./open-queue.ts";
import type { Plans } from "./open-queue.ts";
import { readRecord } from "./plan-outcome.ts";
import type { PlanRecord } from "./plan-outcome.ts";
import { restoreSchedules } from "./restore-schedules.ts";

export function defineSchedules(program: Command, context: CommandContext): void {
  const command = program
    .command("schedules")
    .description(
      "List the schedules, what their last run did, and when the next one is; or make them again from a list that --json has printed.",
    );
  addOptions(command, schedulesOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = loadSchedulesConfig(context.environment, flags);
    await using plans = await openPlans(config.queue.redis);
    if (config.restore !== undefined) {
      const restored = await restoreSchedules(plans, resolve(context.folder, config.restore));
      // The list as it is now follows.
      for (const line of restored) context.stderr.write(`${line}\n`);
    }
    const schedules = await readSchedules(plans);
    if (config.json) {
      context.stdout.write(`${JSON.stringify({ schedules }, undefined, 2)}\n`);
      return;
    }
    const lines = schedules.flatMap(describeSchedule);
    context.stdout.write(lines.length === 0 ? "There are no schedules.\n" : `${lines.join("\n")}\n`);
  });
}

export interface ScheduleState extends PlanRecord {
  readonly name: string;
  readonly cron: string;
  readonly tz: string;
  readonly next: string | null;
  /** `undefined` of a schedule of another release. */
  readonly images?: ImageRequest;
}

/** All schedules by name. @throws {SlidelightError} `queue-unavailable`. */
export function readSchedules({ plans, redis, ask }: Plans): Promise<readonly ScheduleState[]> {
  return ask("Listing the schedules", async () => {
    const schedulers = await plans.getJobSchedulers(0, -1, true);
    const states = schedulers.map(async ({ key, pattern, tz, next, template }): Promise<ScheduleState> => {
      const images = imagesOf(template?.data);
      return {
        name: key,
        cron: pattern ?? "",
        tz: tz ?? "UTC",
        next: next === undefined ? null : new Date(next).toISOString(),
        ...(await readRecord(redis, key)),
        ...(images === undefined ? {} : { images }),
      };
    });
    return (await Promise.all(states)).sort((one, other) => (one.name < other.name ? -1 : 1));
  });
}

/** `undefined` for a payload that this release does not know. */
function imagesOf(data: unknown): ImageRequest | undefined {
  try {
    return parsePlanJob(data).images;
  } catch {
    return undefined;
  }
}

function describeSchedule({ name, cron, tz, next, last, images }: ScheduleState): readonly string[] {
  const time = (text: string): string => describeTime(new Date(text), tz);
  const outcome =
    last === undefined
      ? "has not run yet"
      : last.status === "done"
        ? `${time(last.finishedAt)}: ${describeAdded(last.counts)}`
        : `${time(last.finishedAt)}: failed: [${last.error?.code ?? "unexpected"}] ${last.error?.message ?? ""}`;
  return [
    `${name}: ${cron} in ${tz}`,
    `  sources  ${images?.sources.join(", ") ?? "unknown to this release"}`,
    `  results  ${images?.out ?? "unknown to this release"}`,
    `  last     ${outcome}`,
    `  next     ${next === null ? "never" : time(next)}`,
  ];
}

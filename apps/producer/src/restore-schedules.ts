import { readFile } from "node:fs/promises";
import { imageRequestSchema } from "@slidelight/contract";
import { messageOf, schemaFaults, SlidelightError } from "@slidelight/core/request";
import { z } from "zod";
import { cronFault, timeZoneFault } from "./cron.ts";
import type { Plans } from "./open-queue.ts";
import { putSchedule, scheduleNamePattern } from "./schedule-command.ts";

const entry = z.object({
  name: z.string().regex(scheduleNamePattern, "expected a letter, then letters, digits, - and _, 64 at most"),
  cron: z.string().refine((text) => cronFault(text) === undefined, "expected five cron fields"),
  tz: z.string().refine((text) => timeZoneFault(text) === undefined, "expected the name of a time zone"),
  images: imageRequestSchema,
});

const listing = z.object({ schedules: z.array(entry) });

const restored = {
  scheduled: "restored",
  changed: "changed to what the file says",
  unchanged: "is there already",
} as const;

/**
 * Makes the schedules of a file as `schedules --json` prints it; one that is there under the same name becomes what the file says,
 * others stay. Nothing is made when one of them can't be.
 * @returns A line for each.
 * @throws {SlidelightError} `usage` for a file that is no such list, `queue-unavailable`.
 */
export async function restoreSchedules(plans: Plans, path: string): Promise<readonly string[]> {
  const parsed = listing.safeParse(await readJson(path));
  if (!parsed.success) {
    throw new SlidelightError(
      "usage",
      `Restoring schedules from "${path}": expected what slidelight schedules --json prints, got faults: ${schemaFaults(parsed.error)}. Nothing was changed.`,
    );
  }
  const lines: string[] = [];
  for (const schedule of parsed.data.schedules) {
    const outcome = await putSchedule(plans, schedule);
    lines.push(`✓ ${schedule.name} ${restored[outcome]}`);
  }
  return lines;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new SlidelightError(
      "usage",
      `Restoring schedules from "${path}": expected a file that slidelight schedules --json has written, got ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

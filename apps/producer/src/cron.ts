import { getNextMillis } from "bullmq";
import { messageOf } from "@slidelight/core/request";

/** When something is due: five cron fields, in a time zone of the IANA's list. */
export interface Schedule {
  readonly cron: string;
  readonly tz: string;
}

/** What is wrong with a cron expression; `undefined` when nothing is. */
export function cronFault(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/u);
  const five = 'five fields, "minute hour day-of-month month day-of-week", such as "0 1 * * *" for every day at 01:00';
  if (fields.length !== 5) return `expected ${five}; got ${fields.length} field${fields.length === 1 ? "" : "s"}`;
  // Hashed fields are drawn anew each time that the next time is computed.
  if (/\bH\b/u.test(cron)) return `expected ${five}; H is not supported`;
  try {
    const never = nextTimes({ cron, tz: "UTC" }, { count: 1, after: new Date() }).length === 0;
    return never ? "these times never come: check the day and the month" : undefined;
  } catch (error) {
    return `expected ${five}; ${messageOf(error)}`;
  }
}

/** What is wrong with the name of a time zone; `undefined` when nothing is. */
export function timeZoneFault(tz: string): string | undefined {
  const expected = `expected the name of a time zone, such as Europe/Rome or UTC; "${tz}" is none that is known here`;
  if (!/^[A-Za-z]/u.test(tz)) return expected;
  try {
    return Intl.DateTimeFormat("en", { timeZone: tz }).format(0) === "" ? expected : undefined;
  } catch {
    return expected;
  }
}

/** The next times, as the queue itself computes them; fewer where no more come. @throws {Error} For fields that are no cron expression. */
export function nextTimes(
  { cron, tz }: Schedule,
  { count, after }: { readonly count: number; readonly after: Date },
): readonly Date[] {
  const times: Date[] = [];
  for (let last = after.getTime(); times.length < count; ) {
    const next = getNextMillis(last, { pattern: cron, tz });
    if (next === undefined) break;
    times.push(new Date(next));
    last = next;
  }
  return times;
}

/** A time as people of its zone read it, with its distance from UTC: `Mon 2026-03-30 01:00 GMT+2`. */
export function describeTime(time: Date, tz: string): string {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: tz,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "shortOffset",
  });
  const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
  const { weekday, year, month, day, hour, minute, timeZoneName } = parts;
  return `${weekday} ${year}-${month}-${day} ${hour}:${minute} ${timeZoneName}`;
}

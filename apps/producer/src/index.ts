import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineCancel } from "./cancel-command.ts";
import { defineEnqueue } from "./enqueue-command.ts";
import { definePause, defineResume } from "./pause-command.ts";
import { definePlanner } from "./planner-command.ts";
import { defineReport } from "./report-command.ts";
import { defineRetry } from "./retry-command.ts";
import { defineSchedule, defineUnschedule } from "./schedule-command.ts";
import { defineSchedules } from "./schedules-command.ts";
import { defineStatus } from "./status-command.ts";
import { defineWatch } from "./watch-command.ts";

/** Runs a command of the queue's outside; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, (program, finish) => {
    defineEnqueue(program, context, finish);
    defineStatus(program, context);
    defineWatch(program, context, finish);
    defineRetry(program, context);
    defineCancel(program, context, finish);
    definePause(program, context);
    defineResume(program, context);
    defineReport(program, context);
    defineSchedule(program, context);
    defineSchedules(program, context);
    defineUnschedule(program, context);
    definePlanner(program, context);
  });
}

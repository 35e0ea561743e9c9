import { runCommand } from "@slidelight/contract";
import type { CommandContext, Commands } from "@slidelight/contract";

const commands: Commands = {
  enqueue: async () => (await import("./enqueue-command.ts")).defineEnqueue,
  status: async () => (await import("./status-command.ts")).defineStatus,
  watch: async () => (await import("./watch-command.ts")).defineWatch,
  retry: async () => (await import("./retry-command.ts")).defineRetry,
  cancel: async () => (await import("./cancel-command.ts")).defineCancel,
  pause: async () => (await import("./pause-command.ts")).definePause,
  resume: async () => (await import("./pause-command.ts")).defineResume,
  report: async () => (await import("./report-command.ts")).defineReport,
  schedule: async () => (await import("./schedule-command.ts")).defineSchedule,
  schedules: async () => (await import("./schedules-command.ts")).defineSchedules,
  unschedule: async () => (await import("./schedule-command.ts")).defineUnschedule,
  planner: async () => (await import("./planner-command.ts")).definePlanner,
};

/** Runs a command of the queue's outside; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, commands);
}

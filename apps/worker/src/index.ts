import { runCommand } from "@slidelight/contract";
import type { CommandContext, Commands } from "@slidelight/contract";

const commands: Commands = {
  explain: async () => (await import("./explain-command.ts")).defineExplain,
  inspect: async () => (await import("./inspect-command.ts")).defineInspect,
  engines: async () => (await import("./engines-command.ts")).defineEngines,
  worker: async () => (await import("./worker-command.ts")).defineWorker,
};

/** Runs `explain`, `inspect`, `engines` or `worker`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, commands);
}

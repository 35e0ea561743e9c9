import { runCommand } from "@slidelight/contract";
import type { CommandContext, Commands } from "@slidelight/contract";

const commands: Commands = {
  train: async () => (await import("./train-command.ts")).defineTrain,
  evaluate: async () => (await import("./evaluate-command.ts")).defineEvaluate,
};

/** Runs `train` or `evaluate`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, commands);
}

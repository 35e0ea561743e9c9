import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineTrain } from "./train-command.ts";

/** Runs `train`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, (program) => defineTrain(program, context));
}

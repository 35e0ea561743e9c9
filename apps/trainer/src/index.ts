import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineEvaluate } from "./evaluate-command.ts";
import { defineTrain } from "./train-command.ts";

/** Runs `train` or `evaluate`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, (program) => {
    defineTrain(program, context);
    defineEvaluate(program, context);
  });
}

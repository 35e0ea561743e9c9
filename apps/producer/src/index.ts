import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineEnqueue } from "./enqueue-command.ts";
import { defineStatus } from "./status-command.ts";
import { defineWatch } from "./watch-command.ts";

/** Runs `enqueue`, `status` or `watch`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, (program, finish) => {
    defineEnqueue(program, context, finish);
    defineStatus(program, context);
    defineWatch(program, context, finish);
  });
}

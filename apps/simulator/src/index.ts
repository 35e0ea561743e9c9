import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineSimulate } from "./simulate-command.ts";

/** Runs `simulate`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, { simulate: async () => defineSimulate });
}

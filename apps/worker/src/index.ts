import { runCommand } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { defineEngines } from "./engines-command.ts";
import { defineExplain } from "./explain-command.ts";
import { defineInspect } from "./inspect-command.ts";
import { defineWorker } from "./worker-command.ts";

export { loadWorkerConfig } from "./config.ts";
export { runWorker } from "./run-worker.ts";
export type { RunWorkerOptions } from "./run-worker.ts";

/** Runs `explain`, `inspect`, `engines` or `worker`; the promise is the exit status. */
export function run(argv: readonly string[], context: CommandContext): Promise<number> {
  return runCommand(argv, context, (program, finish) => {
    defineExplain(program, context, finish);
    defineInspect(program, context);
    defineEngines(program, context);
    defineWorker(program, context);
  });
}

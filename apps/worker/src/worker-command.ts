import { addOptions, openEngineOf, traceHelp } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { loadWorkerConfig, workerOptions } from "./config.ts";
import { runWorker } from "./run-worker.ts";

export function defineWorker(program: Command, context: CommandContext): void {
  const command = program
    .command("worker")
    .description(
      "Explain the queue's images until SIGTERM, or --until-idle. Its log on standard error is one JSON object a line.",
    )
    .addHelpText("after", traceHelp);
  addOptions(command, workerOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    await runWorker(loadWorkerConfig(context.environment, flags), context, { openEngine: openEngineOf });
  });
}

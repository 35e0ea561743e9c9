import { addOptions } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { loadSimulateConfig } from "./config.ts";
import { reportOf } from "./report.ts";
import { simulateNight } from "./simulate.ts";
import { simulateOptions } from "./simulate-options.ts";
import { summaryOf } from "./summary.ts";

export function defineSimulate(program: Command, context: CommandContext): void {
  const command = program
    .command("simulate")
    .description(
      "Play an archive's night with a virtual clock: how long it takes, what it asks of Redis and the store, what it costs. docs/capacity.md says what is modelled.",
    );
  addOptions(command, simulateOptions).action((flags: Readonly<Record<string, unknown>>) => {
    const { night, json } = loadSimulateConfig(context.environment, flags);
    const summary = summaryOf(night, simulateNight(night));
    context.stdout.write(json ? `${JSON.stringify(summary, undefined, 2)}\n` : reportOf(summary));
  });
}

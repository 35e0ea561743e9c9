import { addOptions } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { loadStatusConfig, statusOptions } from "./config.ts";
import { describeFailed } from "./describe-failed.ts";
import { openQueue } from "./open-queue.ts";
import { describeCounts, describeProgress, readQueueState } from "./queue-state.ts";

export function defineStatus(program: Command, context: CommandContext): void {
  const command = program.command("status").description("Tell what waits, runs, is done and has failed.");
  addOptions(command, statusOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = loadStatusConfig(context.environment, flags);
    await using queue = await openQueue(config.queue);
    const state = await readQueueState(queue);
    if (config.json) {
      context.stdout.write(`${JSON.stringify(state, undefined, 2)}\n`);
      return;
    }
    const lines = [
      `${state.queue}: ${describeCounts(state)}`,
      ...state.running.map((running) => `… ${running.image}: ${describeProgress(running)}`),
      ...state.failures.map(describeFailed),
    ];
    context.stdout.write(`${lines.join("\n")}\n`);
  });
}

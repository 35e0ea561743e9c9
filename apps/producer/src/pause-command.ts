import { addOptions } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { loadPauseConfig, pauseOptions } from "./config.ts";
import { openQueue } from "./open-queue.ts";

export function definePause(program: Command, context: CommandContext): void {
  const command = program
    .command("pause")
    .description(
      "Let workers take no more jobs of the queue, images and shards alike, until slidelight resume; what they hold they finish. Jobs can still be added.",
    );
  addOptions(command, pauseOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const { queue: address } = loadPauseConfig(context.environment, flags);
    await using opened = await openQueue(address);
    const held = await opened.ask(`Pausing ${opened.name}`, async () => {
      await Promise.all([opened.queue.pause(), opened.shards.pause()]);
      return (await opened.queue.getActiveCount()) + (await opened.shards.getActiveCount());
    });
    const rest = held === 0 ? "nothing runs" : `${held} jobs that run go on to their end`;
    context.stdout.write(`✓ ${opened.name} and its shards are paused: ${rest}; slidelight resume ends it\n`);
  });
}

export function defineResume(program: Command, context: CommandContext): void {
  const command = program.command("resume").description("Let workers take jobs of a paused queue again.");
  addOptions(command, pauseOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const { queue: address } = loadPauseConfig(context.environment, flags);
    await using opened = await openQueue(address);
    await opened.ask(`Resuming ${opened.name}`, () => Promise.all([opened.queue.resume(), opened.shards.resume()]));
    context.stdout.write(`✓ ${opened.name} and its shards go on\n`);
  });
}

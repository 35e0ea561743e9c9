import { setTimeout } from "node:timers/promises";
import { addOptions, openProgress } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { loadWatchConfig, watchOptions } from "./config.ts";
import type { WatchConfig } from "./config.ts";
import { describeFailed } from "./describe-failed.ts";
import { openQueue } from "./open-queue.ts";
import { describeCounts, describeProgress, isIdle, readQueueState } from "./queue-state.ts";

const pollMs = 1000;

export function defineWatch(program: Command, context: CommandContext, finish: (status: number) => void): void {
  const command = program.command("watch").description("Follow the queue until Ctrl-C.");
  addOptions(command, watchOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    finish(await watch(loadWatchConfig(context.environment, flags), context));
  });
}

/** 1 when it was followed to its end and holds failed images, whenever they failed. */
async function watch(config: WatchConfig, context: CommandContext): Promise<number> {
  await using queue = await openQueue(config.queue);
  using progress = openProgress(context.stderr, {
    quiet: false,
    rate: (perSecond) => `${(perSecond * 60).toFixed(1)} images/min`,
  });
  const told = new Set<string>();
  let counts = "";
  for (;;) {
    const state = await readQueueState(queue);
    for (const failure of state.failures.map(describeFailed)) {
      if (told.has(failure)) continue;
      told.add(failure);
      progress.line(failure);
    }
    const line = describeCounts(state);
    // Where nothing redraws, a line says what has changed.
    if (context.stderr.isTTY !== true && line !== counts) progress.line(`${state.queue}: ${line}`);
    counts = line;
    if (config.untilEmpty && isIdle(state)) {
      if (context.stderr.isTTY === true) progress.line(`${state.queue}: ${line}`);
      return state.failed > 0 ? 1 : 0;
    }
    if (context.stderr.isTTY === true) {
      const [running] = state.running;
      const now = running === undefined ? "" : `, ${running.image}: ${describeProgress(running)}`;
      const done = state.completed + state.failed;
      progress.update({
        text: `${state.queue}${now}`,
        done,
        total: done + state.waiting + state.active + state.delayed,
      });
    }
    try {
      await setTimeout(pollMs, undefined, { signal: context.signal });
    } catch {
      return 0;
    }
  }
}

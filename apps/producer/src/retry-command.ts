import { addOptions, cancellationKey, parseFailedReason } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { putBack } from "./add-jobs.ts";
import { loadRetryConfig, retryOptions } from "./config.ts";
import type { RetryConfig } from "./config.ts";
import { pageSize, readJobs } from "./job-pages.ts";
import { openQueue } from "./open-queue.ts";
import type { OpenQueue } from "./open-queue.ts";

export function defineRetry(program: Command, context: CommandContext): void {
  const command = program
    .command("retry")
    .description(
      "Put failed images back into the queue: all of them, also those that will fail again as long as nobody changes the image or the model, or those with some codes.",
    );
  addOptions(command, retryOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = loadRetryConfig(context.environment, flags);
    await using queue = await openQueue(config.queue);
    const { retried, left } = await queue.ask(`Putting failed images of ${queue.name} back`, () =>
      retryFailed(queue, { config, signal: context.signal }),
    );
    context.signal.throwIfAborted();
    if (config.json) {
      context.stdout.write(`${JSON.stringify({ queue: queue.name, retried, left }, undefined, 2)}\n`);
      return;
    }
    const others = config.code === undefined ? "" : `, ${left} with other codes left as they are`;
    context.stdout.write(`${retried} failed images wait again${others}; queue ${queue.name}\n`);
  });
}

/** @returns How many wait again, and how many stay failed because of their codes. */
async function retryFailed(
  queue: OpenQueue,
  { config, signal }: { readonly config: RetryConfig; readonly signal: AbortSignal },
): Promise<{ readonly retried: number; readonly left: number }> {
  let retried = 0;
  let left = 0;
  // What fails again while this runs has a later time, and is not taken twice.
  const until = Date.now();
  for (;;) {
    if (signal.aborted) return { retried, left };
    // What was put back has left the set: only what stays is passed over.
    const ids = await queue.redis.zrangebyscore(queue.queue.toKey("failed"), 0, until, "LIMIT", left, pageSize);
    if (ids.length === 0) return { retried, left };
    const jobs = await readJobs(ids, { ...queue, fields: ["failedReason"] });
    const chosen = jobs
      .filter(({ fields }) => config.code?.includes(parseFailedReason(fields["failedReason"] ?? "").code) !== false)
      .map(({ id }) => id);
    if (chosen.length > 0) {
      await queue.redis.unlink(chosen.map(cancellationKey));
      await putBack(chosen, "failed", queue);
    }
    retried += chosen.length;
    left += ids.length - chosen.length;
  }
}

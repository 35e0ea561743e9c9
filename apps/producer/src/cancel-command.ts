import { addOptions, cancellationKey, cancellationSeconds, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import type { Command } from "commander";
import { cancelOptions, loadCancelConfig } from "./config.ts";
import { jobPages } from "./job-pages.ts";
import type { JobState } from "./job-pages.ts";
import { jobMatcher, matchedFields } from "./match-jobs.ts";
import type { JobMatcher } from "./match-jobs.ts";
import { openQueue } from "./open-queue.ts";
import type { OpenQueue } from "./open-queue.ts";

export function defineCancel(program: Command, context: CommandContext, finish: (status: number) => void): void {
  const command = program
    .command("cancel")
    .description(
      "Stop images that run, and take those that wait out of the queue: by the id of a run or of a job, or an image's key or address. Enqueue an image again to have it after all.",
    )
    .argument("<run|key|job...>");
  addOptions(command, cancelOptions).action(
    async (args: readonly string[], flags: Readonly<Record<string, unknown>>) => {
      const config = loadCancelConfig(context.environment, flags);
      await using queue = await openQueue(config.queue);
      const { signal } = context;
      const matcher = jobMatcher(args, { ...storageSettings(config.storage), signal });
      const found = await queue.ask(`Cancelling jobs of ${queue.name}`, () => cancel(queue, { matcher, signal }));
      signal.throwIfAborted();
      const results = args.map((argument) => {
        const states = [...found].filter(([, job]) => job.args.has(argument)).map(([, job]) => job.outcome);
        return {
          argument,
          stopping: states.filter((state) => state === "stopping").length,
          removed: states.filter((state) => state === "removed").length,
        };
      });
      if (config.json) {
        context.stdout.write(`${JSON.stringify({ queue: queue.name, results }, undefined, 2)}\n`);
      }
      for (const { argument, stopping, removed } of results) {
        const told = [
          ...(stopping === 0 ? [] : [`${images(stopping)} running, told to stop`]),
          ...(removed === 0 ? [] : [`${images(removed)} waiting, removed`]),
        ];
        const line = told.length === 0 ? nothing(argument, { queue, matcher }) : `✓ ${argument}: ${told.join("; ")}`;
        context.stderr.write(`${line}\n`);
      }
      finish(results.some(({ stopping, removed }) => stopping + removed === 0) ? 1 : 0);
    },
  );
}

function images(count: number): string {
  return count === 1 ? "1 image" : `${count} images`;
}

function nothing(
  argument: string,
  { queue, matcher }: { readonly queue: OpenQueue; readonly matcher: JobMatcher },
): string {
  const blind = matcher.blind();
  const why = blind === undefined ? "" : ` Run ids could not be told of every image (${blind}): give the image's key.`;
  return `✗ ${argument}: nothing of this name waits or runs in ${queue.name}. Expected the id of a run or of a job, or an image's key or address; slidelight status shows what runs, and --queue names another queue.${why}`;
}

interface Found {
  /** Arguments that mean the job. */
  readonly args: ReadonlySet<string>;
  outcome: "stopping" | "removed";
}

/**
 * What runs comes first, so that it is told within a moment however long the queue is, and once more at the end, for what began to
 * run while the waiting jobs were looked through. Those come in the order in which a job goes through them.
 */
const passes: readonly JobState[] = [
  "active",
  "waiting-children",
  "delayed",
  "prioritized",
  "wait",
  "active",
  "waiting-children",
];

/** Cancels what the arguments mean. @returns What was found, by job id. */
async function cancel(
  queue: OpenQueue,
  { matcher, signal }: { readonly matcher: JobMatcher; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  for (const state of passes) {
    for await (const { jobs, removed } of jobPages(queue, { state, fields: matchedFields })) {
      if (signal.aborted) return found;
      const matched = [];
      for (const job of jobs) {
        const args = await matcher.match(job);
        if (args.length > 0) matched.push({ id: job.id, args: new Set(args) });
      }
      // Before anything is removed: a worker that takes the job just now sees it.
      await flag(
        matched.map(({ id }) => id),
        queue,
      );
      const outcomes = await Promise.all(matched.map(({ id }) => stop(id, { queue, state })));
      matched.forEach(({ id, args }, index) => found.set(id, { args, outcome: outcomes[index] ?? "stopping" }));
      removed(outcomes.filter((outcome) => outcome === "removed").length);
    }
  }
  return found;
}

async function flag(ids: readonly string[], { redis }: OpenQueue): Promise<void> {
  const flags = redis.pipeline();
  for (const id of ids) flags.set(cancellationKey(id), "1", "EX", cancellationSeconds);
  for (const [error] of (await flags.exec()) ?? []) if (error !== null) throw error;
}

/**
 * Ends a job that is flagged already.
 *
 * An image that waits for its shards is held by nobody. Its shards that run see its flag and fail, and it with them. Those that wait
 * are removed here; with the last of them the queue moves the image itself to the head of the waiting list, as if all its shards
 * were done. That does no harm: the pass over the waiting jobs, which comes later, removes it there, and a worker that is faster
 * sees the flag before it does anything.
 */
async function stop(
  id: string,
  { queue, state }: { readonly queue: OpenQueue; readonly state: JobState },
): Promise<Found["outcome"]> {
  if (state === "active") return "stopping";
  if (state === "waiting-children") {
    const job = await queue.queue.getJob(id);
    await job?.removeUnprocessedChildren();
    return "stopping";
  }
  // 0: a worker has taken it meanwhile, and sees the flag.
  return (await queue.queue.remove(id, { removeChildren: true })) === 1 ? "removed" : "stopping";
}

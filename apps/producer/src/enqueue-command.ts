import {
  addOptions,
  failureOf,
  openProgress,
  openTracing,
  processName,
  storageSettings,
  tellFailure,
  traceHelp,
} from "@slidelight/contract";
import type { CommandContext, Failure } from "@slidelight/contract";
import type { Command } from "commander";
import { addImages, refuseNone, totalOf } from "./add-images.ts";
import type { ImageCounts } from "./add-images.ts";
import { enqueueOptions, imageRequest, loadEnqueueConfig } from "./config.ts";
import type { EnqueueConfig } from "./config.ts";
import { openQueue } from "./open-queue.ts";
import { traced } from "./traced.ts";

/** Failures that `--json` lists; all are told as they happen, and counted. */
const listedFailures = 1000;

export function defineEnqueue(program: Command, context: CommandContext, finish: (status: number) => void): void {
  const command = program
    .command("enqueue")
    .description(
      "Add one job for each image: of a folder, s3://bucket/prefix/, a file with one image a line, or - for standard input. Run again, it adds what is missing.",
    )
    .argument("<source...>")
    .addHelpText("after", traceHelp);
  addOptions(command, enqueueOptions).action(
    async (sources: readonly string[], flags: Readonly<Record<string, unknown>>) => {
      finish(await enqueue(sources, loadEnqueueConfig(context.environment, flags), context));
    },
  );
}

async function enqueue(sources: readonly string[], config: EnqueueConfig, context: CommandContext): Promise<number> {
  await using queue = await openQueue(config.queue);
  using progress = openProgress(context.stderr, {
    quiet: config.quiet,
    rate: (perSecond) => `${perSecond.toFixed(0)} images/s`,
  });
  const debug = (context.environment["SLIDELIGHT_DEBUG"] ?? "") !== "";
  const failures: { readonly image: string; readonly error: Failure }[] = [];
  const fail = (image: string, error: unknown): void => {
    tellFailure(error, { subject: image, debug, write: (line) => progress.line(line) });
    if (failures.length < listedFailures) failures.push({ image, error: failureOf(error) });
  };
  const request = imageRequest(sources, { config, folder: context.folder });
  await using tracing = await openTracing({
    environment: context.environment,
    service: "slidelight-enqueue",
    instance: processName(),
    warn: (why) => progress.line(`! ${why}`),
  });
  const counts = await traced(
    tracing,
    { name: "enqueue", attributes: { "slidelight.sources": [...sources] } },
    (span) =>
      addImages(request, {
        queue,
        tracing,
        span,
        storage: storageSettings(config.storage),
        input: context.stdin,
        newOnly: config.newOnly,
        cancelled: "again",
        signal: context.signal,
        unreadable: fail,
        unlisted: fail,
        progress: (now) => {
          const done = totalOf(now);
          // The length of a listing is not known before its end.
          progress.update({ text: `${done} images listed, ${now.added} added`, done, total: done + 1 });
        },
      }),
  );
  refuseNone(counts, request);
  if (config.json) {
    const { added, retried, present, done, failed, unreadable } = counts;
    const told = {
      queue: queue.name,
      added,
      retried,
      present,
      done,
      failedBefore: failed,
      failed: unreadable,
      failures,
    };
    context.stdout.write(`${JSON.stringify(told, undefined, 2)}\n`);
  }
  if (!config.quiet) progress.line(`${describeAdded(counts)}; queue ${queue.name}`);
  return counts.unreadable === 0 ? 0 : 1;
}

/** What became of the images, in one line; what is always said comes with zeros, the rest where it happened. */
export function describeAdded({ added, retried, present, done, failed, cancelled, unreadable }: ImageCounts): string {
  const rows: readonly (readonly [count: number, text: string, always: boolean])[] = [
    [added, "added", true],
    [retried, "tried again", false],
    [present, "already there", true],
    [done, "left out with their results in the store", false],
    [failed, "failed before (see slidelight status)", false],
    [cancelled, "cancelled before", false],
    [unreadable, "failed", true],
  ];
  return rows
    .filter(([count, , always]) => always || count > 0)
    .map(([count, text]) => `${count} ${text}`)
    .join(", ");
}

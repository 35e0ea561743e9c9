import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { addOptions, storageSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { expectFolder, messageOf, openStore, parseLocation, SlidelightError } from "@slidelight/core/request";
import type { ObjectStore } from "@slidelight/core";
import type { Command } from "commander";
import { loadReportConfig, reportOptions } from "./config.ts";
import type { ReportConfig } from "./config.ts";
import { absolute } from "./look-up.ts";
import { openQueue } from "./open-queue.ts";
import type { OpenQueue } from "./open-queue.ts";
import { describeCounts, readQueueState } from "./queue-state.ts";
import type { ReportEntry } from "./report-entry.ts";
import { reportFormats } from "./report-formats.ts";
import type { ReportFormat } from "./report-formats.ts";
import { ledgerEntries } from "./report-ledger.ts";
import { queueEntries, unrecordedFailures } from "./report-queue.ts";

export function defineReport(program: Command, context: CommandContext): void {
  const command = program
    .command("report")
    .description(
      "Tell what was done, skipped and failed, and why: what the queue remembers (a week of what was done, a month of what failed), or with --out all that lies in the store.",
    );
  addOptions(command, reportOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    await report(loadReportConfig(context.environment, flags), context);
  });
}

async function report(config: ReportConfig, context: CommandContext): Promise<void> {
  const { folder, signal } = context;
  const store = config.out === undefined ? undefined : await resultsIn(absolute(config.out, folder), config);
  await using queue = await queueFor(config, context);
  const state = queue === undefined ? undefined : await readQueueState(queue);
  const format = formatOf(config);
  const details = format !== "text";
  const texts = reportFormats[format](entriesFrom({ store, queue, details, signal }), {
    madeAt: new Date().toISOString(),
    source: store === undefined ? `what the queue ${queue?.name ?? ""} remembers` : `results in ${store.uri}`,
    queue: state === undefined ? undefined : `${state.queue}: ${describeCounts(state)}`,
  });
  try {
    if (config.html === undefined) await pipeline(Readable.from(texts), context.stdout, { end: false, signal });
    else await writeFile(texts, { path: resolve(folder, config.html), signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  }
  if (config.html !== undefined) context.stderr.write(`✓ ${config.html}\n`);
}

/** @throws {SlidelightError} `store-not-found` when it is a folder that is not there. */
async function resultsIn(out: string, { storage }: ReportConfig): Promise<ObjectStore> {
  if (parseLocation(out).kind === "file") {
    const advice = "Give --out the folder that the results were written to.";
    await expectFolder(out, { doing: "Reporting on the results in", missing: "store-not-found", advice });
  }
  return openStore(out, storageSettings(storage));
}

/** A store is told of without its queue too. */
async function queueFor(config: ReportConfig, { stderr }: CommandContext): Promise<OpenQueue | undefined> {
  try {
    return await openQueue(config.queue);
  } catch (error) {
    if (config.out === undefined || !(error instanceof SlidelightError)) throw error;
    stderr.write(`! The queue is left out of the report. ${error.message}\n`);
    return undefined;
  }
}

function formatOf({ json, csv, html }: ReportConfig): ReportFormat {
  if (json) return "json";
  if (csv) return "csv";
  return html === undefined ? "text" : "html";
}

interface Sources {
  readonly store: ObjectStore | undefined;
  readonly queue: OpenQueue | undefined;
  readonly details: boolean;
  readonly signal: AbortSignal;
}

async function* entriesFrom({ store, queue, details, signal }: Sources): AsyncGenerator<ReportEntry> {
  if (store !== undefined) {
    yield* ledgerEntries(store, { details, signal });
    if (queue !== undefined) yield* unrecordedFailures(queue, { store, signal });
  } else if (queue !== undefined) {
    yield* queueEntries(queue);
  }
}

/** @throws {SlidelightError} `output-unwritable`; what the report itself fails of stays as it is. */
async function writeFile(
  texts: AsyncIterable<string>,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await pipeline(Readable.from(texts), createWriteStream(path), { signal });
  } catch (error) {
    if (signal.aborted || error instanceof SlidelightError) throw error;
    throw new SlidelightError(
      "output-unwritable",
      `Writing the report ${path} failed: ${messageOf(error)}. Give --html a file in a folder that is there and can be written to.`,
      { cause: error },
    );
  }
}

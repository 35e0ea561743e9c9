import {
  addOptions,
  describeFailure,
  failureOf,
  listImages,
  openEngineOf,
  openProgress,
  readModel,
  storageSettings,
} from "@slidelight/contract";
import type { CommandContext, Failure, ImageEntry, Progress } from "@slidelight/contract";
import {
  classNames,
  describeModel,
  explainImage,
  openFinisher,
  openProgramCache,
  openReaders,
  openScratch,
  openSpeedMeter,
  openSource,
  openStore,
  parseTarget,
  SlidelightError,
} from "@slidelight/core";
import type {
  ExplanationResult,
  ExplanationResources,
  ImageReference,
  Model,
  Observe,
  StoreSettings,
} from "@slidelight/core";
import type { Command } from "commander";
import { explainOptions, loadExplainConfig } from "./config.ts";
import type { ExplainConfig } from "./config.ts";
import { imageLimits } from "./engine-options.ts";
import { generalFaults } from "./general-faults.ts";
import type { IsGeneral } from "./general-faults.ts";
import { explainInFlight } from "./in-flight.ts";

/** An entry of `--json`: a contract for scripts. */
interface ResultEntry {
  readonly image: string;
  readonly status: "done" | "skipped" | "failed";
  readonly runId: string | null;
  readonly method: string;
  readonly target: string;
  readonly output: string | null;
  readonly error?: Failure;
}

export function defineExplain(program: Command, context: CommandContext, finish: (status: number) => void): void {
  const command = program
    .command("explain")
    .description("Explain images here, without a queue: paths, folders, s3://bucket/key, s3://bucket/prefix/.")
    .argument("<image...>");
  addOptions(command, explainOptions).action(
    async (images: readonly string[], flags: Readonly<Record<string, unknown>>) => {
      finish(await explain(images, loadExplainConfig(context.environment, flags), context));
    },
  );
}

async function explain(images: readonly string[], config: ExplainConfig, context: CommandContext): Promise<number> {
  using progress = openProgress(context.stderr, { quiet: config.output.quiet, rate: megapixels });
  const debug = (context.environment["SLIDELIGHT_DEBUG"] ?? "") !== "";
  const report: Report = { config, progress, entries: [], said: new Set(), debug };
  let interruption: { readonly reason: unknown } | undefined;
  try {
    await explainAll(images, report, context);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    interruption = { reason: context.signal.reason };
  }
  // Images finish in another order than they were given.
  const results = report.entries.toSorted((one, other) => one.number - other.number).map(({ result }) => result);
  if (config.output.json) context.stdout.write(`${JSON.stringify({ results }, undefined, 2)}\n`);
  if (interruption !== undefined) {
    progress.line("Interrupted: nothing half-written is visible; the same command goes on with what is missing.");
    throw interruption.reason;
  }
  return results.some(({ status }) => status === "failed") ? 1 : 0;
}

interface Report {
  readonly config: ExplainConfig;
  readonly progress: Progress;
  /** What became of each image, method and target, with the image's number. */
  readonly entries: { readonly number: number; readonly result: ResultEntry }[];
  /** Lines that were told: what is wrong with every image in the same way is told once. */
  readonly said: Set<string>;
  readonly debug: boolean;
}

async function explainAll(images: readonly string[], report: Report, context: CommandContext): Promise<void> {
  const { config } = report;
  const { signal } = context;
  const storage = storageSettings(config.storage);
  const list = (): AsyncGenerator<ImageEntry> => listAll(images, { report, storage, context });
  try {
    const { model } = await readModel(config.model, { ...storage, signal });
    checkTargets(model, config);
    const isGeneral = generalFaults(model, config.settings);
    await using scratch = await openScratch(config.engine.scratch);
    await using engine = await openEngineOf(config.engine, { signal });
    await using programs = openProgramCache(engine);
    await using finisher = openFinisher();
    await using readers = openReaders();
    const resources: ExplanationResources = {
      engine,
      programs,
      finisher,
      readers,
      model,
      output: openStore(config.out, storage),
      speeds: openSpeedMeter(),
      scratch: scratch.folder,
      parts: config.engine.scratch,
      limits: imageLimits(config.engine),
      ...(config.engine.memory === undefined ? {} : { memoryBytes: config.engine.memory }),
    };
    const number = await explainInFlight(list(), {
      start: (entry, { number, observe }) =>
        explainEntry(entry, { report, resources, storage, number, observe, signal, isGeneral }),
      progress: (state) => report.progress.update(state),
    });
    if (number === 0 && report.entries.length === 0) {
      throw new SlidelightError("image-not-found", `Looking for images in ${images.join(", ")}: found none.`);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof SlidelightError && error.code === "usage" && report.entries.length === 0) throw error;
    // Known before any image was read, or the same for all of them.
    tell(error, report);
    const told = new Set(report.entries.map(({ result }) => result.image));
    let number = 0;
    for await (const { uri } of list()) {
      number += 1;
      if (!told.has(uri)) record({ image: uri, number }, failureOf(error), report);
    }
    if (report.entries.length === 0) record({ image: images.join(" "), number: 0 }, failureOf(error), report);
  }
}

/** Every image of every argument; an argument that can't be listed is a failure of its own. */
async function* listAll(
  images: readonly string[],
  {
    report,
    storage,
    context,
  }: { readonly report: Report; readonly storage: StoreSettings; readonly context: CommandContext },
): AsyncGenerator<ImageEntry> {
  const { folder, signal } = context;
  for (const image of images) {
    try {
      yield* listImages(image, { ...storage, folder, signal, files: "images" });
    } catch (error) {
      if (signal.aborted) throw error;
      if (report.entries.some(({ result }) => result.image === image)) continue;
      tell(error, report, image);
      record({ image, number: 0 }, failureOf(error), report);
    }
  }
}

/** Wrong targets are found before the first tile. */
function checkTargets(model: Model, { settings }: ExplainConfig): void {
  const { classes } = describeModel(model);
  for (const target of settings.targets) parseTarget(target, classNames(classes.length, classes));
}

interface EntryOptions {
  readonly report: Report;
  readonly resources: ExplanationResources;
  readonly storage: StoreSettings;
  readonly number: number;
  readonly observe: Observe;
  readonly signal: AbortSignal;
  readonly isGeneral: IsGeneral;
}

/** One image. @throws {SlidelightError} When every further image would fail in the same way. */
async function explainEntry(entry: ImageEntry, options: EntryOptions): Promise<void> {
  const { report, resources, storage, number, signal, isGeneral } = options;
  const { uri, key } = entry;
  const image: ImageReference = { uri, key, open: (abortable) => openSource(uri, { ...storage, ...abortable }) };
  const observe: Observe = (event) => {
    if (event.kind === "warning") report.progress.line(`! ${event.message}`);
    options.observe(event);
  };
  let results: readonly ExplanationResult[];
  try {
    results = await explainImage(image, report.config.settings, { ...resources, observe }, { signal });
  } catch (error) {
    if (signal.aborted || (error instanceof SlidelightError && isGeneral(error))) throw error;
    tell(error, report, uri);
    record({ image: uri, number }, failureOf(error), report);
    return;
  }
  for (const result of results) {
    report.entries.push({ number, result: entryOf(uri, result) });
    if (result.status === "failed") tell(result.error, report, isGeneral(result.error, result) ? undefined : uri);
    else if (!report.config.output.quiet) {
      const [sign, remark] = result.status === "done" ? ["✓", ""] : ["=", " (was there)"];
      report.progress.line(`${sign} ${uri}: ${result.output}${remark}`);
    }
  }
  const hopeless = results.flatMap((result) =>
    result.status === "failed" && isGeneral(result.error, result) ? [result.error] : [],
  );
  const [fault] = hopeless;
  if (fault !== undefined && hopeless.length === results.length) throw fault;
}

function entryOf(image: string, result: ExplanationResult): ResultEntry {
  if (result.status !== "failed") return { image, ...result };
  const { error, ...rest } = result;
  return { image, ...rest, runId: null, output: null, error: failureOf(error) };
}

/** The same line about the same thing is told once. */
function tell(error: unknown, { progress, said, debug }: Report, subject?: string): void {
  const failure = failureOf(error);
  const line = describeFailure(subject, failure);
  if (said.has(line)) return;
  said.add(line);
  progress.line(line);
  if (debug && error instanceof Error && error.stack !== undefined) progress.line(error.stack);
}

/** Every method and target of an image has failed. */
function record(
  { image, number }: { readonly image: string; readonly number: number },
  error: Failure,
  { config, entries }: Report,
): void {
  const { methods, targets } = config.settings;
  for (const method of methods) {
    for (const target of targets) {
      entries.push({ number, result: { image, status: "failed", runId: null, method, target, output: null, error } });
    }
  }
}

function megapixels(pixelsPerSecond: number): string {
  return `${(pixelsPerSecond / 1e6).toFixed(2)} MP/s`;
}

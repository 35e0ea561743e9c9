import {
  addOptions,
  describeFailure,
  failureOf,
  listImages,
  openProgress,
  readModel,
  storageSettings,
} from "@slidelight/contract";
import type { CommandContext, Failure, ImageEntry, Progress } from "@slidelight/contract";
import {
  classNames,
  describeModel,
  explainImage,
  openProgramCache,
  openSource,
  openStore,
  parseTarget,
  SlidelightError,
} from "@slidelight/core";
import type {
  ErrorCode,
  ExplanationResources,
  ImageReference,
  MethodName,
  Model,
  Observe,
  StoreSettings,
} from "@slidelight/core";
import type { Command } from "commander";
import { explainOptions, loadExplainConfig } from "./config.ts";
import type { ExplainConfig } from "./config.ts";
import { imageLimits, openEngine } from "./engine-options.ts";

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

/** Faults that every further image would meet in the same way: said once, and nothing more is tried. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "model-operator",
  "model-input",
  "model-no-pool",
  "model-not-local",
  "method-unsuitable",
  "layer-unknown",
  "target-unknown",
  "engine-unavailable",
]);

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
  const results: ResultEntry[] = [];
  using progress = openProgress(context.stderr, { quiet: config.output.quiet, rate: megapixels });
  const report: Report = { config, progress, results, debug: (context.environment["SLIDELIGHT_DEBUG"] ?? "") !== "" };
  let interruption: { readonly reason: unknown } | undefined;
  try {
    await explainAll(images, report, context);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    interruption = { reason: context.signal.reason };
  }
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
  readonly results: ResultEntry[];
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
    await using engine = await openEngine(config.engine, { signal });
    await using programs = openProgramCache(engine);
    const resources: ExplanationResources = {
      engine,
      programs,
      model,
      output: openStore(config.out, storage),
      scratch: config.engine.scratch,
      limits: imageLimits(config.engine),
      ...(config.engine.memory === undefined ? {} : { memoryBytes: config.engine.memory }),
    };
    let number = 0;
    for await (const entry of list()) {
      number += 1;
      await explainEntry(entry, { report, resources, storage, number, signal });
    }
    if (number === 0 && report.results.length === 0) {
      throw new SlidelightError("image-not-found", `Looking for images in ${images.join(", ")}: found none.`);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    // Known before any image was read, or the same for all of them.
    tell(error, report);
    const told = new Set(report.results.map(({ image }) => image));
    for await (const { uri } of list()) if (!told.has(uri)) record(uri, failureOf(error), report);
    if (report.results.length === 0) record(images.join(" "), failureOf(error), report);
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
      if (report.results.some((result) => result.image === image)) continue;
      tell(error, report, image);
      record(image, failureOf(error), report);
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
  readonly signal: AbortSignal;
}

/** Each method and target by itself, so that one that fails leaves the others' results. */
async function explainEntry(entry: ImageEntry, options: EntryOptions): Promise<void> {
  const { report, resources, storage, signal } = options;
  const { settings } = report.config;
  const image: ImageReference = {
    uri: entry.uri,
    key: entry.key,
    open: (abortable) => openSource(entry.uri, { ...storage, ...abortable }),
  };
  let said = "";
  for (const method of settings.methods) {
    for (const target of settings.targets) {
      const observe = watch(`${options.number}: ${entry.key}, ${method}`, report.progress);
      try {
        const one = { ...settings, methods: [method], targets: [target] } as const;
        const done = await explainImage(image, one, { ...resources, observe }, { signal });
        for (const result of done) {
          report.results.push({ image: entry.uri, ...result });
          if (!report.config.output.quiet) {
            report.progress.line(
              `${result.status === "done" ? "✓" : "="} ${entry.uri}: ${result.output}${result.status === "done" ? "" : " (was there)"}`,
            );
          }
        }
      } catch (error) {
        if (signal.aborted) throw error;
        const failure = failureOf(error);
        if (error instanceof SlidelightError && hopeless.has(error.code)) {
          recordOne(entry.uri, { failure, method, target }, report);
          throw error;
        }
        const line = describeFailure(entry.uri, failure);
        if (line !== said) tell(error, report, entry.uri);
        said = line;
        recordOne(entry.uri, { failure, method, target }, report);
      }
    }
  }
}

function tell(error: unknown, { progress, debug }: Report, subject?: string): void {
  progress.line(describeFailure(subject, failureOf(error)));
  if (debug && error instanceof Error && error.stack !== undefined) progress.line(error.stack);
}

function record(image: string, failure: Failure, report: Report): void {
  const { methods, targets } = report.config.settings;
  for (const method of methods) for (const target of targets) recordOne(image, { failure, method, target }, report);
}

function recordOne(
  image: string,
  { failure, method, target }: { readonly failure: Failure; readonly method: MethodName; readonly target: string },
  { results }: Report,
): void {
  results.push({ image, status: "failed", runId: null, method, target, output: null, error: failure });
}

/** Tiles as pixels of the image: a sweep each. */
function watch(text: string, progress: Progress): Observe {
  let total = 0;
  let done = 0;
  return (event) => {
    if (event.kind === "warning") progress.line(`! ${event.message}`);
    if (event.kind === "image-planned") total = event.pixels * event.sweeps;
    if (event.kind === "tile-done") done += event.pixels;
    if (event.kind === "image-planned" || event.kind === "tile-done") progress.update({ text, done, total });
  };
}

function megapixels(pixelsPerSecond: number): string {
  return `${(pixelsPerSecond / 1e6).toFixed(2)} MP/s`;
}

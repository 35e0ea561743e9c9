import { addOptions, engineSettings } from "@slidelight/contract";
import type { CommandContext } from "@slidelight/contract";
import { chooseEngine, engineChoices, openEngine, SlidelightError, speedOf } from "@slidelight/core";
import type { Engine, EngineChoice, EngineSettings, Precision } from "@slidelight/core";
import type { Command } from "commander";
import { enginesOptions, loadEnginesConfig } from "./config.ts";

interface Finding {
  readonly engine: string;
  readonly provider: string;
  /** What it computes on. */
  readonly on: string;
  readonly present: boolean;
  readonly version?: string;
  readonly device?: string;
  readonly precisions?: readonly Precision[];
  /** Megapixels a second of a base-16 depth-4 U-Net, forward; `null` where a precision could not be run. */
  readonly speed?: Readonly<Partial<Record<Precision, number | null>>>;
  /** Why it does not compute here. */
  readonly reason?: string;
  /** How to get what is missing. */
  readonly advice?: string;
}

/** A square that small accelerators hold too, large enough to keep them busy. */
const probe = { side: 512, runs: 3 } as const;

export function defineEngines(program: Command, context: CommandContext): void {
  const command = program
    .command("engines")
    .description("Tell which engines compute here, which do not and why, and how fast each is.");
  addOptions(command, enginesOptions).action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = loadEnginesConfig(context.environment, flags);
    const settings: EngineSettings = { ...engineSettings(config), signal: context.signal };
    const findings: Finding[] = [];
    for (const choice of engineChoices) findings.push(await look(choice, settings, config.measure));
    const automatic = await automaticChoice(settings);
    if (config.json) context.stdout.write(`${JSON.stringify({ engines: findings, auto: automatic }, undefined, 2)}\n`);
    else context.stdout.write(`${[...findings.flatMap(linesOf), autoLine(automatic)].join("\n")}\n`);
  });
}

async function look(choice: EngineChoice, settings: EngineSettings, measure: boolean): Promise<Finding> {
  const { engine, provider, text: on, advice } = choice;
  try {
    await using opened = await openEngine({ engine, provider, ...settings });
    const { version, device, precisions } = opened;
    const found = { engine, provider, on, present: true, version, device, precisions };
    return measure ? { ...found, speed: await speeds(opened, settings) } : found;
  } catch (error) {
    if (settings.signal?.aborted === true || !(error instanceof SlidelightError)) throw error;
    return { engine, provider, on, present: false, reason: error.message, advice };
  }
}

async function speeds(engine: Engine, { signal }: EngineSettings): Promise<NonNullable<Finding["speed"]>> {
  const found: Partial<Record<Precision, number | null>> = {};
  for (const precision of engine.precisions) {
    try {
      found[precision] = await speedOf(engine, { ...probe, precision, signal });
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof SlidelightError)) throw error;
      found[precision] = null;
    }
  }
  return found;
}

interface Automatic {
  readonly engine: string;
  readonly provider: string;
}

/** What `--engine auto` takes here; `undefined` when there is none. */
async function automaticChoice(settings: EngineSettings): Promise<Automatic | undefined> {
  try {
    await using engine = await chooseEngine(settings);
    return { engine: engine.name, provider: engine.provider };
  } catch (error) {
    if (error instanceof SlidelightError && error.code === "engine-unavailable") return undefined;
    throw error;
  }
}

function linesOf(finding: Finding): readonly string[] {
  const { engine, provider, on, present, version, device, precisions, speed, reason, advice } = finding;
  const name = `${engine} ${provider}`.padEnd(22);
  if (!present) return [`- ${name}${on}`, `    why: ${reason?.trim()}`, `    get: ${advice}`];
  const measured = Object.entries(speed ?? {}).map(
    ([precision, value]) => `${precision} ${value === null ? "failed" : `${value.toFixed(2)} MP/s`}`,
  );
  const able = measured.length === 0 ? (precisions ?? []).join(", ") : measured.join(", ");
  return [`✓ ${name}${on}: version ${version}, ${device}; ${able}`];
}

function autoLine(automatic: Automatic | undefined): string {
  return automatic === undefined
    ? "--engine auto finds none"
    : `--engine auto takes ${automatic.engine} on ${automatic.provider}`;
}

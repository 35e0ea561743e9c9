import { SlidelightError } from "@slidelight/core/request";
import type { Command } from "commander";
import type { z } from "zod";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OptionRow {
  /** As commander takes it: `--tile <px>`. Absent: the environment alone. */
  readonly flag?: string;
  readonly text?: string;
  /** May be given more than once: its value is the list of what was given. */
  readonly many?: true;
  /** Variables that are asked in this order when the flag is not given. Default: SLIDELIGHT_ and the name. */
  readonly environment?: readonly string[];
}

/** Options by the name of the value that they set. */
export type OptionTable = Readonly<Record<string, OptionRow>>;

/** Adds a command's flags, and tells their variables; whether values are any good is said by its schema, all faults together. */
export function addOptions(command: Command, table: OptionTable): Command {
  for (const { flag, text = "", many } of Object.values(table)) {
    if (flag === undefined) continue;
    if (many === true) command.option<readonly string[]>(flag, text, gather);
    else command.option(flag, text);
  }
  return command.addHelpText("after", variablesHelp(table));
}

/** Which variables are asked. */
function variablesHelp(table: OptionTable): string {
  const rows = Object.entries(table);
  const usual = rows.find(([, { flag, environment }]) => flag !== undefined && environment === undefined);
  const example = usual === undefined ? "" : `, such as ${variablesOf(...usual).join()} for ${flagOf(usual[1])}`;
  const named = rows
    .filter(([, { flag, environment }]) => flag !== undefined && environment !== undefined)
    .map(([name, row]) => `; for ${flagOf(row)} ${variablesOf(name, row).join(", then ")}`);
  const alone = rows
    .filter(([, { flag }]) => flag === undefined)
    .map(([name, row]) => variablesOf(name, row).join(" or "));
  const rest = alone.length === 0 ? "" : `\nVariables without an option: ${alone.join(", ")}.`;
  return `\nWhat is not given is taken from the environment: SLIDELIGHT_ and the option's name${example}${named.join("")}.${rest}`;
}

function gather(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** What was given for each option: the flag, else the environment; nothing where neither says anything. */
export function gatherOptions(
  table: OptionTable,
  given: { readonly flags: Readonly<Record<string, unknown>>; readonly environment: Environment },
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    const variables = variablesOf(name, row);
    const value = given.flags[name] ?? variables.map((variable) => given.environment[variable]).find((text) => text);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/**
 * The frozen configuration.
 * @throws {SlidelightError} `usage` with every fault, each named by its flag.
 */
export function parseOptions<S extends z.ZodType>(
  schema: S,
  values: unknown,
  options: { readonly table: OptionTable; readonly command: string },
): z.output<S> {
  const parsed = schema.safeParse(values);
  if (parsed.success) return deepFreeze(parsed.data);
  const faults = parsed.error.issues.map((issue) => {
    const name = issue.path.findLast((part) => typeof part === "string" && Object.hasOwn(options.table, part));
    const row = typeof name === "string" ? options.table[name] : undefined;
    const label = row === undefined ? "" : `${nameOf(String(name), row)}: `;
    return `  ${label}${issue.message}`;
  });
  throw new SlidelightError(
    "usage",
    `The options of slidelight ${options.command} can't be used:\n${[...new Set(faults)].join("\n")}\nSee slidelight ${options.command} --help.`,
  );
}

function nameOf(name: string, row: OptionRow): string {
  const variables = variablesOf(name, row).join(" or ");
  return row.flag === undefined ? variables : `${flagOf(row)} (${variables})`;
}

/** Without its value. */
function flagOf({ flag = "" }: OptionRow): string {
  return /--[a-z0-9-]+/u.exec(flag)?.[0] ?? flag;
}

function variablesOf(name: string, row: OptionRow): readonly string[] {
  return row.environment ?? [`SLIDELIGHT_${name.replaceAll(/[A-Z]/gu, (letter) => `_${letter}`).toUpperCase()}`];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

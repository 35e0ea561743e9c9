import type { Readable, Writable } from "node:stream";
import { SlidelightError } from "@slidelight/core/request";
import { Command, CommanderError } from "commander";
import { tellFailure } from "./failure.ts";
import type { Environment } from "./options.ts";

export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

/** What a command gets from the process that runs it. */
export interface CommandContext extends Streams {
  readonly environment: Environment;
  readonly folder: string;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Adds a command with its options; `finish` sets an exit status other than 0. */
export type DefineCommand = (program: Command, context: CommandContext, finish: (status: number) => void) => void;

/** An app's commands, each loaded when it is asked for: what one needs, the others need not wait for. */
export type Commands = Readonly<Record<string, () => Promise<DefineCommand>>>;

/** Exit status after SIGINT or SIGTERM, as shells have it. */
const interrupted = 130;
const wrongUsage = 2;
const failed = 1;

/**
 * Runs the command that the arguments name: 0 all done, 1 something failed, 2 wrong usage. Failures are told in one
 * line each, without a stack unless SLIDELIGHT_DEBUG is set.
 */
export async function runCommand(
  argv: readonly string[],
  context: CommandContext,
  commands: Commands,
): Promise<number> {
  const [name] = argv;
  // Where none is named, all of them tell what there is.
  const asked = Object.entries(commands).filter(([known]) => known === name);
  const loads = asked.length === 0 ? Object.entries(commands) : asked;
  const definitions = await Promise.all(loads.map(([, load]) => load()));
  let status = 0;
  const program = new Command("slidelight");
  program.exitOverride().configureOutput({
    writeOut: (text) => void context.stdout.write(text),
    writeErr: (text) => void context.stderr.write(text),
  });
  for (const define of definitions) {
    define(program, context, (value) => {
      status = value;
    });
  }
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : wrongUsage;
    if (context.signal.aborted && error === context.signal.reason) return interrupted;
    const debug = (context.environment["SLIDELIGHT_DEBUG"] ?? "") !== "";
    tellFailure(error, { debug, write: (line) => void context.stderr.write(`${line}\n`) });
    return error instanceof SlidelightError && error.code === "usage" ? wrongUsage : failed;
  }
}

import type { Readable, Writable } from "node:stream";
import { SlidelightError } from "@slidelight/core";
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
  define: (program: Command, finish: (status: number) => void) => void,
): Promise<number> {
  let status = 0;
  const program = new Command("slidelight");
  program.exitOverride().configureOutput({
    writeOut: (text) => void context.stdout.write(text),
    writeErr: (text) => void context.stderr.write(text),
  });
  define(program, (value) => {
    status = value;
  });
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

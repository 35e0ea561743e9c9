import { messageOf } from "../../errors/message-of.ts";
import { SlidelightError } from "../../errors/slidelight-error.ts";
import type { Abortable } from "../../io/byte-source.ts";
import { failuresOf } from "../failures.ts";
import { openProgramQueue } from "../program-queue.ts";
import type { QueueOptions } from "../program-queue.ts";
import { notBegun, startChild } from "./child.ts";
import type { Child } from "./child.ts";
import { advice, isInstalled } from "./installation.ts";
import type { ProcessSettings } from "./protocol.ts";

export const { failure, attempt } = failuresOf("TensorFlow.js");

/** A process that computes, and the programs that it has, or is asked to compile. */
export interface ComputingProcess {
  readonly child: Child;
  /** Of what computes in it. */
  readonly version: string;
  /** With the answer to what it was asked. */
  readonly programs: Map<number, Promise<unknown>>;
}

/** What computes: a process, and when it has died another one. */
export interface Computer extends AsyncDisposable {
  /** The process that was started last, which may have died. */
  last(): ComputingProcess;
  /** One that computes: started anew where the last one died. Within a turn. */
  living(): Promise<ComputingProcess>;
  /**
   * Work on the process, in the order in which it is asked for; what the process had not begun when it died is done anew.
   * @throws {SlidelightError} `engine-failed` naming the operation; the signal's reason.
   */
  inTurn<T>(
    operation: string,
    work: () => Promise<T | typeof notBegun>,
    options?: Omit<QueueOptions, "closed">,
  ): Promise<T>;
}

/**
 * Requests that the process has at a time: the run that it is at, the next one, whose pixels are there when it comes to it, and a program
 * that another image wants, which it compiles between the two.
 */
const requestsAtOnce = 3;

/** @throws {SlidelightError} `engine-unavailable`. */
export async function openComputer(settings: ProcessSettings): Promise<Computer> {
  const queue = openProgramQueue({ atOnce: requestsAtOnce });
  let process = await start(settings);
  let starting: Promise<ComputingProcess> | undefined;
  let closed = false;
  return {
    last: () => process,
    living: async () => {
      if (process.child.ended() !== undefined && !closed) {
        starting ??= start(settings).finally(() => (starting = undefined));
        process = await starting;
      }
      // Closed meanwhile: nobody waits for what it would compute.
      if (closed) throw new Error("the engine was closed");
      return process;
    },
    inTurn: (operation, work, options = {}) => {
      const closed = (): Error => failure(operation, "the engine was closed");
      return queue.ask(() => attempt(operation, () => done(work, options)), { ...options, closed });
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await process.child[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      // One that was being started meanwhile.
      await process.child[Symbol.asyncDispose]();
    },
  };
}

/** What ended before it was begun is asked of the next process. */
async function done<T>(work: () => Promise<T | typeof notBegun>, { signal }: Abortable): Promise<T> {
  for (;;) {
    const result = await work();
    if (result !== notBegun) return result;
    signal?.throwIfAborted();
  }
}

async function start(settings: ProcessSettings): Promise<ComputingProcess> {
  const { provider } = settings;
  const unavailable = (reason: string, cause?: unknown): SlidelightError =>
    new SlidelightError(
      "engine-unavailable",
      `Opening TensorFlow.js: expected to compute with the provider ${provider}, got: ${reason}. ${advice[provider]}`,
      { cause },
    );
  if (!isInstalled(provider)) throw unavailable("no libtensorflow with its binding");
  const child = startChild();
  try {
    const answer = await child.ask({ kind: "open", settings });
    if (answer === notBegun) throw new Error(child.ended());
    return { child, version: answer.version, programs: new Map() };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw unavailable(messageOf(error), error);
  }
}

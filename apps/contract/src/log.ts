import type { Writable } from "node:stream";
import { format } from "node:util";
import { pino } from "pino";
import type { Logger } from "pino";
import type { Failure } from "./failure.ts";
import type { Environment } from "./options.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Who writes: in every line. */
  readonly base: Readonly<Record<string, string>>;
  readonly environment: Environment;
  /** The queue's Redis: its password is kept out of the log. */
  readonly redis: string;
  readonly stream: Writable;
}

export interface OpenLog extends Disposable {
  readonly log: Logger;
}

/**
 * The log of a command that runs for long: one JSON object a line, `msg` is one of the fixed texts that docs/operations.md lists, and
 * what differs stands in fields. Also what Node says of the process becomes a line, until the log is disposed of.
 */
export function openLog({ level, base, environment, redis, stream }: LogOptions): OpenLog {
  const redacted = redacting(secretsIn(environment, redis));
  const log = pino(
    {
      level,
      base,
      formatters: { level: (name) => ({ level: name }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: errorFields },
    },
    { write: (line) => void stream.write(redacted(line)) },
  );
  const listening = listen(log);
  return { log, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}

/** A failure in a line of the log. */
export function failureFields({ code, message }: Failure): { readonly code: Failure["code"]; readonly why: string } {
  return { code, why: message };
}

export interface ErrorFields {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  readonly cause?: ErrorFields;
  /** Of an attempt at several addresses. */
  readonly errors?: readonly ErrorFields[];
}

/** Only what is named here: libraries hang the command that failed on their errors, and with it passwords. */
export function errorFields(error: unknown): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name, message, stack, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return {
    type: name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...code,
    ...(cause === undefined ? {} : { cause: errorFields(cause) }),
    ...(error instanceof AggregateError ? { errors: error.errors.map(errorFields) } : {}),
  };
}

const secretVariables = [
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
] as const;

/** A shorter one would be found in words that tell nothing. */
const leastSecret = 8;

function secretsIn(environment: Environment, redis: string): readonly string[] {
  const { password, searchParams } = new URL(redis);
  const inAddress = [password, decodeURIComponent(password), searchParams.get("password") ?? ""];
  const named = secretVariables.map((variable) => environment[variable] ?? "");
  return [...new Set([...inAddress, ...named])].filter((secret) => secret.length >= leastSecret);
}

/** No secret is logged on purpose; a library's message may hold one all the same. */
function redacting(secrets: readonly string[]): (line: string) => string {
  const written = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => written.reduce((text, secret) => text.replaceAll(secret, "***"), line);
}

/** Node's warnings, what libraries print, and an error that nobody caught, of which the process dies. */
function listen(log: Logger): Disposable {
  const usual = process.listeners("warning");
  const warned = (warning: Error): void => log.warn({ err: warning }, "process warning");
  const crashed = (error: unknown): void => log.fatal({ err: error }, "process crashed");
  const printed = (...parts: readonly unknown[]): void =>
    log.warn({ why: format(...parts.map((part) => (part instanceof Error ? part.message : part))) }, "process warning");
  const { warn, error } = console;
  Object.assign(console, { warn: printed, error: printed });
  process.removeAllListeners("warning");
  process.on("warning", warned);
  process.on("uncaughtExceptionMonitor", crashed);
  return {
    [Symbol.dispose]: () => {
      Object.assign(console, { warn, error });
      process.removeListener("warning", warned);
      process.removeListener("uncaughtExceptionMonitor", crashed);
      for (const listener of usual) process.on("warning", listener);
    },
  };
}

import { errorCodes, isRetryable, SlidelightError } from "@slidelight/core/request";
import type { ErrorCode } from "@slidelight/core";

/** A failure to tell; `unexpected` is a fault of the program, `worker-lost` what is known of one that was killed. */
export interface Failure {
  readonly code: ErrorCode | "unexpected" | "worker-lost";
  readonly message: string;
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

/** Everything that a failure may be. */
export const failureCodes: readonly Failure["code"][] = [
  ...Object.keys(errorCodes).filter(isErrorCode),
  "unexpected",
  "worker-lost",
];

export function isFailureCode(text: string): text is Failure["code"] {
  return failureCodes.some((code) => code === text);
}

/** Whether another attempt may succeed. */
export function mayPass(code: Failure["code"]): boolean {
  return code === "unexpected" || code === "worker-lost" || isRetryable(code);
}

export function failureOf(error: unknown): Failure {
  if (error instanceof SlidelightError) return { code: error.code, message: error.message };
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: "unexpected",
    message: `${what}. This is a fault of Slidelight: please report it with what SLIDELIGHT_DEBUG=1 shows.`,
  };
}

/** One line for people. */
export function describeFailure(subject: string | undefined, { code, message }: Failure): string {
  return subject === undefined ? `✗ [${code}] ${message}` : `✗ ${subject}: [${code}] ${message}`;
}

/** Writes the line, and where it came from when that was asked for. */
export function tellFailure(
  error: unknown,
  options: { readonly subject?: string; readonly debug: boolean; write(line: string): void },
): Failure {
  const failure = failureOf(error);
  options.write(describeFailure(options.subject, failure));
  if (options.debug && error instanceof Error) options.write(stackOf(error));
  return failure;
}

function stackOf(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by ${stackOf(error.cause)}` : stack;
}

import type { ErrorCode } from "./codes.ts";

/** Facts about a failure, for logs and reports; values are short and printable. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The one error of the project. The message states, in this order, what was done, on what, what was expected, what was
 * got, and what the user can do. Programming errors are `TypeError`/`RangeError`; cancellation is the signal's reason.
 */
export class SlidelightError extends Error {
  override readonly name = "SlidelightError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, options: { detail?: ErrorDetail; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? {};
  }
}

import type { ErrorCode } from "./codes.ts";
import { SlidelightError } from "./slidelight-error.ts";
import type { ErrorDetail } from "./slidelight-error.ts";

/** An error as plain data, for another thread. */
export interface Fault {
  /** Of a `SlidelightError`. */
  readonly code?: ErrorCode;
  readonly message: string;
  readonly detail: ErrorDetail;
  readonly cause?: Fault;
}

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { message: String(error), detail: {} };
  const { message, cause } = error;
  return {
    ...(error instanceof SlidelightError ? { code: error.code, detail: error.detail } : { detail: {} }),
    message,
    ...(cause === undefined ? {} : { cause: faultOf(cause) }),
  };
}

export function errorOf({ code, message, detail, cause }: Fault): Error {
  const options = cause === undefined ? {} : { cause: errorOf(cause) };
  return code === undefined ? new Error(message, options) : new SlidelightError(code, message, { detail, ...options });
}

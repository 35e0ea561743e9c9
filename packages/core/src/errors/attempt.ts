import { SlidelightError } from "./slidelight-error.ts";

/** What the work gives, or why it can't be done. */
export function attempt<T>(work: () => T): T | SlidelightError {
  try {
    return work();
  } catch (error) {
    if (error instanceof SlidelightError) return error;
    throw error;
  }
}

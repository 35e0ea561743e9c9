import { messageOf } from "../errors/message-of.ts";
import { SlidelightError } from "../errors/slidelight-error.ts";

/** How an engine fails, by the name that people know it by. */
export interface EngineFailures {
  failure(operation: string, reason: string, cause?: unknown): SlidelightError;
  /** The same work; what goes wrong names the operation. */
  attempt<T>(operation: string, work: () => Promise<T>): Promise<T>;
}

export function failuresOf(engine: string): EngineFailures {
  const failure = (operation: string, reason: string, cause?: unknown): SlidelightError =>
    new SlidelightError("engine-failed", `${operation} with ${engine}: expected a result, got: ${reason}`, { cause });
  return {
    failure,
    attempt: async (operation, work) => {
      try {
        return await work();
      } catch (error) {
        throw failure(operation, messageOf(error), error);
      }
    },
  };
}

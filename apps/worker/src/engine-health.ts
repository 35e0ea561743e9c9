import { speedOf } from "@slidelight/core";
import type { Engine } from "@slidelight/core";
import type { Logger } from "pino";

/** Looks after the engine of a worker: a broken one fails every job in no time, and would take all that the queue holds. */
export interface EngineHealth {
  /** Asked after a failure: whether the engine computes anything at all. Jobs that fail together share the answer. */
  computes(): Promise<boolean>;
  /** Aborted once it does not, with the reason. */
  readonly broken: AbortSignal;
}

/** Small: what an image lacks, such as memory, an engine that is well has for this. */
const probe = { side: 64, runs: 1 } as const;

export function openEngineHealth(engine: Engine, log: Logger): EngineHealth {
  const broken = new AbortController();
  let asking: Promise<boolean> | undefined;
  const ask = async (): Promise<boolean> => {
    try {
      await speedOf(engine, probe);
      return true;
    } catch (error) {
      log.error({ err: error }, "the engine does not compute any more");
      broken.abort(error);
      return false;
    } finally {
      asking = undefined;
    }
  };
  return {
    broken: broken.signal,
    computes: async () => {
      if (broken.signal.aborted) return false;
      asking ??= ask();
      return asking;
    },
  };
}

import { cancellationKey } from "@slidelight/contract";
import { SlidelightError } from "@slidelight/core";
import type { Redis } from "ioredis";
import type { Logger } from "pino";

/** Tells jobs that this worker holds when somebody has cancelled their image. */
export interface Cancellations extends Disposable {
  /** @returns A signal that aborts with the error `cancelled`, until it is disposed of. */
  watch(imageJobId: string): Disposable & { readonly signal: AbortSignal };
}

/** Whoever cancels waits for an answer; a look-up of a few keys costs Redis nothing. */
const pollMs = 1000;

/** Looks at the cancellation keys of all images whose jobs are held, in one command. */
export function openCancellations(redis: Redis, log: Logger): Cancellations {
  const watched = new Map<string, Set<AbortController>>();
  let asking = false;
  const ask = async (): Promise<void> => {
    if (asking || watched.size === 0 || redis.status !== "ready") return;
    asking = true;
    try {
      const ids = [...watched.keys()];
      const answers = await redis.mget(ids.map(cancellationKey));
      ids.forEach((id, index) => {
        if (answers[index] === null) return;
        for (const controller of watched.get(id) ?? []) controller.abort(cancelled());
      });
    } catch (error) {
      log.debug({ err: error }, "cancellations could not be asked for");
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(() => void ask(), pollMs);
  return {
    watch: (imageJobId) => {
      const controller = new AbortController();
      const controllers = watched.get(imageJobId) ?? new Set<AbortController>();
      watched.set(imageJobId, controllers.add(controller));
      // One that was cancelled while it waited is not begun.
      void ask();
      return {
        signal: controller.signal,
        [Symbol.dispose]: () => {
          controllers.delete(controller);
          if (controllers.size === 0) watched.delete(imageJobId);
        },
      };
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function cancelled(): SlidelightError {
  return new SlidelightError("cancelled", "The image was cancelled. Enqueue it again to have it explained.");
}

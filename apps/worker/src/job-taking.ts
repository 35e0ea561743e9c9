import type { Worker } from "bullmq";
import type { Logger } from "pino";
import type { Pressure } from "./pressure.ts";

const pollMs = 500;

export interface JobTakingOptions {
  readonly images: Worker;
  readonly shards: Worker;
  readonly pressure: Pressure;
  readonly shardsWait: () => Promise<boolean>;
  readonly log: Logger;
}

/**
 * Decides from moment to moment which jobs are taken: none while the scratch disk is nearly full; no images while shards wait.
 * Two queues have no order between them, so that a worker which is given a new image while shards wait hands it back (it costs
 * no attempt), and takes no images until there are none.
 */
export function openJobTaking({ images, shards, pressure, shardsWait, log }: JobTakingOptions): Disposable {
  let busy = false;
  const turn = async (worker: Worker, on: boolean): Promise<void> => {
    if (on === !worker.isPaused()) return;
    // Jobs that it holds go on.
    if (on) await worker.resume();
    else await worker.pause(true);
  };
  const decide = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const room = !pressure.high;
      await turn(shards, room);
      await turn(images, room && !(await shardsWait()));
    } catch (error) {
      log.debug({ err: error }, "what waits is not known");
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void decide(), pollMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
